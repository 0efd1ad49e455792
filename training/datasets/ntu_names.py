"""What the names of NTU RGB+D files say, the names of its classes, and which files its authors found incomplete.

    S017C003P020R002A060    set-up 17, camera 3, person 20, repetition 2, action 60

Shahroudy, Liu, Ng, Wang: "NTU RGB+D: A Large Scale Dataset for 3D Human Activity Analysis", CVPR 2016; Liu et al.:
"NTU RGB+D 120", TPAMI 2019; https://github.com/shahroudy/NTURGB-D.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LABELS = (
    "drink water",
    "eat meal/snack",
    "brushing teeth",
    "brushing hair",
    "drop",
    "pickup",
    "throw",
    "sitting down",
    "standing up (from sitting position)",
    "clapping",
    "reading",
    "writing",
    "tear up paper",
    "wear jacket",
    "take off jacket",
    "wear a shoe",
    "take off a shoe",
    "wear on glasses",
    "take off glasses",
    "put on a hat/cap",
    "take off a hat/cap",
    "cheer up",
    "hand waving",
    "kicking something",
    "reach into pocket",
    "hopping (one foot jumping)",
    "jump up",
    "make a phone call/answer phone",
    "playing with phone/tablet",
    "typing on a keyboard",
    "pointing to something with finger",
    "taking a selfie",
    "check time (from watch)",
    "rub two hands together",
    "nod head/bow",
    "shake head",
    "wipe face",
    "salute",
    "put the palms together",
    "cross hands in front (say stop)",
    "sneeze/cough",
    "staggering",
    "falling",
    "touch head (headache)",
    "touch chest (stomachache/heart pain)",
    "touch back (backache)",
    "touch neck (neckache)",
    "nausea or vomiting condition",
    "use a fan (with hand or paper)/feeling warm",
    "punching/slapping other person",
    "kicking other person",
    "pushing other person",
    "pat on back of other person",
    "point finger at the other person",
    "hugging other person",
    "giving something to other person",
    "touch other person's pocket",
    "handshaking",
    "walking towards each other",
    "walking apart from each other",
    "put on headphone",
    "take off headphone",
    "shoot at the basket",
    "bounce ball",
    "tennis bat swing",
    "juggling table tennis balls",
    "hush (quiet)",
    "flick hair",
    "thumb up",
    "thumb down",
    "make ok sign",
    "make victory sign",
    "staple book",
    "counting money",
    "cutting nails",
    "cutting paper (using scissors)",
    "snapping fingers",
    "open bottle",
    "sniff (smell)",
    "squat down",
    "toss a coin",
    "fold paper",
    "ball up paper",
    "play magic cube",
    "apply cream on face",
    "apply cream on hand back",
    "put on bag",
    "take off bag",
    "put something into a bag",
    "take something out of a bag",
    "open a box",
    "move heavy objects",
    "shake fist",
    "throw up cap/hat",
    "hands up (both hands)",
    "cross arms",
    "arm circles",
    "arm swings",
    "running on the spot",
    "butt kicks (kick backward)",
    "cross toe touch",
    "side kick",
    "yawn",
    "stretch oneself",
    "blow nose",
    "hit other person with something",
    "wield knife towards other person",
    "knock over other person (hit with body)",
    "grab other person's stuff",
    "shoot at other person with a gun",
    "step on foot",
    "high-five",
    "cheers and drink",
    "carry something with other person",
    "take a photo of other person",
    "follow other person",
    "whisper in other person's ear",
    "exchange things with other person",
    "support somebody with hand",
    "finger-guessing game (playing rock-paper-scissors)",
)
"""A001 to A120; the first 60 are those of NTU RGB+D 60."""

NTU60_SETUPS, NTU60_ACTIONS = 17, 60
"""Set-ups and actions up to these numbers are NTU RGB+D 60; all others came with NTU RGB+D 120."""

SETUPS, CAMERAS, PEOPLE, NTU60_PEOPLE, REPETITIONS = 32, 3, 106, 40, 2
"""The largest numbers in the names of files; all count from 1."""

NAME = re.compile(r"(?:^|/)S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})\.skeleton$")
"""Set-up, camera, person, repetition, action."""

_INCOMPLETE = """
1/2 5/2:8 6/1:8
1/3 2/1:55 2/2:12 5/2:4-6 6/2:8
2/2 11/2:30
2/3 8/1:20 10/2:10 11/2:7,11 14/2:7
3/1 19/1:55
3/2 2/2:55 18/2:55
3/3 2/1:55 16/1:55 18/2:24
4/2 3/1:13 8/1:9 20/1:3-4,12,20-21,36
5/2 4/1:1,3 10/1:16-17,48-49 16/1:9-10 18/1:3,28-29
5/3 16/2:9 18/2:13 21/2:57
6/1 1/2:55
6/2 7/1:5-6 16/1:43,51-52 22/1:12 23/1:20-23 24/1:18-19
6/3 1/2:13 7/2:9-10,25 16/1:60 17/1:55 17/2:13-15 22/2:13
7/1 18/2:50 25/2:51 28/1:50-52
7/2 8/2:8 15/2:55 26/1:8-12,50 27/1:11,13 28/2:55
7/3 7/1:2,4 19/1:60 27/2:1-13
8/2 1/1:9-10,14-16,18-19 8/2:59 25/1:60 29/1:4 31/1:5-6 32/1:18 34/1:18-19 35/1:59 35/2:2,5
8/3 7/1:9,16-23,25-26,28-29 7/2:3 8/2:50 25/2:2,11-12,16,20,22-23,30-33,49,60 31/1:1 31/2:4,14-17 32/2:13
33/2:1,11-12 34/2:1,12,22-24,44-45 35/2:16-21
9/2 7/1:1,3,14 8/1:14 15/2:50 16/1:2 17/1:28-29
9/3 17/2:30 25/2:54
10/1 7/2:20
10/2 16/2:55 17/1:5,18-19 19/1:1 25/1:12
10/3 7/2:43 8/2:3 16/1:55 17/2:55
11/1 2/1:8 18/2:50
11/2 8/2:59 16/2:55 17/1:20-21 18/2:55 27/1:9-10,37
11/3 1/1:55 2/1:55 8/2:12 15/1:55 16/1:55 19/1:55 25/1:55 28/2:55
12/1 19/1:60 19/2:60
12/2 15/1:55 17/2:12 25/1:60
12/3 8/1:57 15/1:55 15/2:55 16/1:55 17/2:55 18/1:55,57 19/2:11-12 25/1:55 27/1:55 27/2:9 28/1:35 28/2:55
13/1 15/1:54 17/2:54 18/1:16 28/1:40
13/2 15/1:54 17/2:54 28/1:40
13/3 8/2:59 15/1:54 17/2:54 25/2:22 27/1:55 28/1:40
14/1 27/2:40
14/2 15/1:3 19/1:29 25/2:59 27/2:40 39/1:50
14/3 7/2:59 15/2:55 19/2:55 25/1:48 27/2:40
15/1 8/2:40 16/1:55 17/1:55 17/2:55
15/2 7/1:59 8/1:3-4 8/2:40 15/1:2 16/1:1 16/2:55
15/3 8/2:7,11-12,28,40 25/2:12,17,20-21,30,33-34,36-37,44
16/1 19/2:40 25/1:11-12,60 40/1:55 40/2:55
16/2 8/1:11 19/2:40 25/2:12
16/3 8/1:11 8/2:2-4,6,9 19/2:40 39/2:16
17/1 16/2:31
17/2 7/1:13 8/1:9 15/1:42 16/2:31,55
17/3 7/2:13 8/1:59 16/2:31 17/1:55 20/1:59
19/1 46/1:75
19/2 42/1:94-102 49/2:74,79 51/1:61
19/3 46/1:61 46/2:61-62
20/2 41/1:63-64 44/1:63-64,66,84 54/1:81
21/1 59/1:108
21/2 55/1:65,92-93 57/1:64 58/1:63-64 59/1:74-79
21/3 57/2:78-79,94
22/2 61/1:113
22/3 61/2:61-62 63/2:61-64,78 64/2:61-62 65/2:61-62,119 67/2:64
23/2 55/1:114 55/2:92 59/1:75 63/1:75
23/3 55/2:93-94 61/2:61 64/1:92
24/1 63/1:109
24/2 62/2:74 67/1:100-103
24/3 62/2:74 63/2:61-62
25/1 55/2:119
25/3 56/2:119 59/2:115
26/2 44/1:61-62 70/1:92
26/3 69/2:75 74/2:61-62 75/1:117-118
27/1 82/1:63
27/2 44/2:92 79/1:61-64 82/1:92 84/1:61-62 86/1:61
27/3 41/2:87 80/2:61 82/2:61-62 86/2:61-62
28/1 87/1:61
28/2 41/1:91 87/1:61
28/3 42/2:64 46/2:63,66-72,74-75,77,81-84 48/2:61-62,73 73/2:73 87/1:61 87/2:61-62
29/1 43/2:92 44/2:92 48/1:73 89/1:63
29/2 41/1:74,84 44/1:91 48/1:75,81 74/1:81,95-96 80/1:91 88/1:66 89/1:65 90/1:67
29/3 8/2:65,67 41/1:89 43/1:80,92,105 43/2:85-86 44/2:106 48/1:65 48/2:73-76,92,94 51/2:73-86,110 67/1:98 74/2:110
80/2:66 88/2:78 89/1:75 89/2:61-63 90/2:92,95
30/2 91/2:91-105
30/3 44/2:65,81,84
31/2 42/1:111 51/1:61-62 67/1:67-72 82/1:75 82/2:117 97/1:61-62
31/3 43/2:74-75 44/2:94 82/2:67-73,75-77,84-86
32/2 67/1:92
32/3 67/2:66-67,75-77
"""
"""Set-up/camera, then person/repetition:actions. A line may go on in the next."""


def _incomplete() -> Iterator[tuple[int, ...]]:
    setup = camera = 0
    for word in _INCOMPLETE.split():
        first, second, *actions = re.split("[/:]", word)
        if not actions:
            setup, camera = int(first), int(second)
            continue
        for run in actions[0].split(","):
            low, _, high = run.partition("-")
            for action in range(int(low), int(high or low) + 1):
                yield setup, camera, int(first), int(second), action


INCOMPLETE = frozenset(_incomplete())
"""(set-up, camera, person, repetition, action) of the 535 files whose skeletons are missing or incomplete, as
published with the data; 302 of them belong to NTU RGB+D 60."""
