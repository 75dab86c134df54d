#!/usr/bin/env python3
"""How often each rank selector of hspca is right: rank_table.py [BUILD] [-v]

Scenes of known rank come from BUILD/hsgen, eight seeds each, and go through BUILD/hspca. The default selector has to be right
in 23 of 24 of the counting scenes of 100, 1000 and 10000 counts (2500 spectra, 128 channels, 5 endmembers), and on other
sizes, ranks and noises as often as the last column asks. -v prints every estimate. Exit status 0 holds, 1 does not, 77 skipped.
"""
import json
import os
import subprocess
import sys
import tempfile

SELECTORS = ("chosen", "tracy_widom", "gavish_donoho", "minka", "bic", "elbow")
SEEDS = range(1, 9)
# scene, options of hsgen, options of hspca, rank, least number of right answers
SCENES = (
    ("Poisson 100", "mixture -k 5 -s 50x50x128 -c 100", "-p", 5, 7),
    ("Poisson 1000", "mixture -k 5 -s 50x50x128 -c 1000", "-p", 5, 7),
    ("Poisson 10000", "mixture -k 5 -s 50x50x128 -c 10000", "-p", 5, 7),
    ("Poisson 300, no pure pixels", "nopure -k 5 -s 50x50x128 -c 300", "-p", 5, 7),
    ("Poisson 300, 3 of 256", "mixture -k 3 -s 64x64x256 -c 300", "-p", 3, 6),
    ("Poisson 3000, 8 of 256", "mixture -k 8 -s 64x64x256 -c 3000", "-p", 8, 7),
    ("Poisson 20000, many spectra", "mixture -k 4 -s 128x128x128 -c 20000", "-p", 4, 6),
    ("Poisson 200, small", "mixture -k 2 -s 30x20x64 -c 200", "-p", 2, 7),
    ("Gauss", "mixture -k 5 -s 50x50x128 -c 1000 --noise gauss --sigma 1", "", 4, 7),
    ("Gauss, fewer spectra than channels", "mixture -k 3 -s 16x12x256 -c 1000 --noise gauss --sigma 0.5", "", 2, 7),
)


def estimate(build, folder, scene, seed, options):
    cube, report = os.path.join(folder, "scene.nxs"), os.path.join(folder, "report.json")
    subprocess.run([os.path.join(build, "hsgen"), *scene.split(), "--seed", str(seed), "--raw", "-f", "-o", cube], check=True)
    subprocess.run([os.path.join(build, "hspca"), "-q", "--no-scores", *options.split(), "--report", report, "-f", "-o",
                    os.path.join(folder, "pca.nxs"), cube], check=True)
    with open(report) as f:
        return json.load(f)["rank"]


def main():
    arguments = [a for a in sys.argv[1:] if a != "-v"]
    build, verbose = arguments[0] if arguments else "build", "-v" in sys.argv
    if not os.access(os.path.join(build, "hspca"), os.X_OK):
        print("1..0 # skip: %s/hspca is not built" % build)
        return 77
    failures = poisson = 0
    print("# right of %-26d  %s" % (len(SEEDS), " ".join(s.rjust(13) for s in SELECTORS)))
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, scene, options, rank, least) in enumerate(SCENES):
            found = [estimate(build, folder, scene, seed, options) for seed in SEEDS]
            right = {s: sum(f[s] == rank for f in found) for s in SELECTORS}
            if verbose:
                for f in found:
                    print("# %s: %s" % (name, " ".join("%s %d" % (s, f[s]) for s in SELECTORS)))
            print("# %-36s %s" % (name, " ".join(("%d" % right[s]).rjust(13) for s in SELECTORS)))
            ok = right["chosen"] >= least
            failures += not ok
            poisson += right["chosen"] if number < 3 else 0
            print("%s %d - %s: rank %d chosen in %d of %d" % ("ok" if ok else "not ok", number + 1, name, rank, right["chosen"],
                                                             len(SEEDS)))
        ok = poisson >= 23
        failures += not ok
        print("%s %d - the three counting scenes: %d of 24" % ("ok" if ok else "not ok", len(SCENES) + 1, poisson))
    print("1..%d" % (len(SCENES) + 1))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
