"""A whole session in one process, under a simulated clock, network and disk, with faults at any step.

The product's own decisions run: the scheduler's service with its machine, store and placing, the discoverer with its
incubation, the nanny, follower and tracker state. What they reach the world through is simulated. All chance comes from
one seed, so a run that fails can be repeated, and its faults reduced to those that matter.

    python -m tests.simulation --seeds 10000        # many runs, on all cores
    python -m tests.simulation --seed 4711          # one run, with its trace
"""
