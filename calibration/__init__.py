"""Floor 2: where the sensor stands and what its pixels mean."""
