"""Hostile inputs, faults and kills, many of them, within a time limit: `make torture`, not part of `make test`.

A module here is one part. Its `rows(seconds, seed)` tries what it can within these seconds, drawing from a generator
with that seed, and yields a `Row` for each kind of trial. It leaves nothing behind, whatever fails.
"""
