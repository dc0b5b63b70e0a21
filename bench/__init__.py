"""Benchmarks: side by side with what people use today, in one run, interleaved.

    corpus.py        originals to measure on: drawn with Danbooru's mix, or taken from a folder
    measure.py       CPU time of this process and of whole trees of processes; interleaved samples
    records.py       samples, results and runs, as they stand in the JSON files
    benchmarks/      one file per stage: who competes at what
    peers/           one file per peer, and the floor that nobody gets below
    __main__.py      `python -m bench`: measure, print, write JSON and charts
    player.py        `python -m bench.player`: one version's side of a comparison
    compare.py       `python -m bench.compare`: two versions, and a verdict per benchmark
    verdict.py       pairs of samples to a verdict

All costs are CPU-seconds, user and system, of all processes that take part. Wall-clock time stands
beside them where cores are to work at once.
"""
