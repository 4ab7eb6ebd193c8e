"""How long OpenMP's threads wait for one another before they sleep.

LibTorch computes with libgomp, whose threads spin for some 15 milliseconds wherever one is done before the others. Where another
process takes a core meanwhile, they spin most of the time: on two cores with four busy processes beside it, a prompt of 512 tokens
is read at 60 tokens a second, with a tenth of a millisecond at 1,200; alone on the machine both are equally fast. libgomp asks for
this once, when it is loaded, so it has to be said before, also for a program that imports torch next; what else there is to say librag
says when it opens its first model. ``GOMP_SPINCOUNT`` and ``OMP_WAIT_POLICY`` of the user's own are left alone.
"""

import os

SPINS = "10000"


def set_default() -> None:
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
