#!/usr/bin/env python3
"""Shifts of images against SciPy: align.py [BUILD]

Pictures are cut from a larger one that scipy.ndimage moves by splines of order 5. The driver BUILD/unit/test_fft (default: build) finds the
shift; so does least squares by scipy.optimize on the same pair, which is the best that can be done. Exit status 0 agrees, 1 differs,
77 skipped.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from scipy import ndimage, optimize
except ImportError as e:
    print("1..0 # skip: %s" % e)
    sys.exit(77)

count = failures = 0
EDGE = 24


def check(ok, text):
    global count, failures
    count += 1
    failures += not ok
    print("%s %d - %s" % ("ok" if ok else "not ok", count, text))


def find(driver, a, b, folder):
    paths = [os.path.join(folder, name) for name in ("a.f64", "b.f64")]
    for path, image in zip(paths, (a, b)):
        image.astype("<f8").tofile(path)
    out = subprocess.run([driver] + paths + [str(n) for n in a.shape], check=True, capture_output=True, text=True).stdout
    return [float(v) for v in out.split()]


def middle(x):
    return x[EDGE:-EDGE, EDGE:-EDGE]


def main():
    driver = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "unit", "test_fft")
    rng = np.random.default_rng(11)
    with tempfile.TemporaryDirectory() as folder:
        for shape, truth, snr, width in (((80, 96), (1.37, -2.62), 20, 2), ((64, 64), (-0.21, 0.44), 20, 2), ((70, 51), (6.3, 3.9), 20, 2.5),
                                         ((96, 96), (0.8, -0.3), 5, 3)):
            whole = ndimage.gaussian_filter(rng.normal(size=[n + 2 * EDGE for n in shape]), width)
            sigma = whole.std() / snr
            a = middle(whole) + sigma * rng.normal(size=shape)
            b = middle(ndimage.shift(whole, truth, order=5, mode="nearest")) + sigma * rng.normal(size=shape)
            *got, sure = find(driver, a, b, folder)
            best = optimize.least_squares(
                lambda s: (ndimage.shift(a, s, order=3, mode="nearest") - b)[10:-10, 10:-10].ravel(), truth).x
            error, least = np.hypot(*np.subtract(got, truth)), np.hypot(*np.subtract(best, truth))
            check(error < 0.02 * 20 / snr and sure > 0.5,
                  "%d x %d, signal to noise %g: off by %.4f pixel (least squares: %.4f), sure %.2f" % (*shape, snr, error, least, sure))
            # interpolation averages noise away, most of all half way: where there is much of it least squares is drawn there
            if snr >= 20:
                check(np.hypot(*np.subtract(got, best)) < 0.03, "... and from least squares by %.4f" % np.hypot(*np.subtract(got, best)))
    print("1..%d" % count)
    sys.exit(failures != 0)


main()
