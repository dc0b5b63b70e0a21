"""Benchmarks of dafre_fast and of the tools that people use today, interleaved in one run.

    corpus.py        originals to measure on: drawn with Danbooru's mix, or taken from a folder
    drawing.py       pictures that are as hard to decode as real ones
    measure.py       CPU time of this process and of whole trees of processes; interleaved samples
    records.py       samples, results and runs, as in the JSON files
    benchmarks/      one file per benchmark, with its contenders
    peers/           one file per peer, and the floor: the least work that any contender must do
    __main__.py      `python -m bench`: measure, print, write JSON and charts
    player.py        `python -m bench.player`: one version's side of a comparison
    compare.py       `python -m bench.compare`: two versions, and a verdict per benchmark
    verdict.py       the verdict on pairs of samples
    history.py       `python -m bench.history`: runs that are kept, and the page of them

All costs are CPU-seconds, user and system, of all processes that take part. Wall-clock time is
given too if several cores are meant to work at once.
"""
