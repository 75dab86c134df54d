#!/usr/bin/env python3
"""Abundances against scipy and against all possible answers: abundance.py [BUILD]

The driver BUILD/unit/test_abundance (default: build) solves small random problems; non-negative ones are compared with
scipy's nnls, fully constrained and sparse ones with the best of every set of endmembers, found by solving each. Exit status 0
agrees, 1 differs, 77 skipped.
"""
import itertools
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from scipy.optimize import nnls
except ImportError as e:
    print("1..0 # skip: %s" % e)
    sys.exit(77)

count = failures = 0


def check(ok, text):
    global count, failures
    count += 1
    failures += not ok
    print("%s %d - %s" % ("ok" if ok else "not ok", count, text))


def solve(driver, method, e, x, folder, price=0.0, table=True):
    paths = [os.path.join(folder, name) for name in ("e.f64", "x.f64")]
    e.astype("<f8").tofile(paths[0])
    x.astype("<f8").tofile(paths[1])
    command = [driver, method, *paths, str(len(e)), str(e.shape[1]), str(len(x)), repr(price)] + ([] if table else ["lh"])
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return np.array([[float(v) for v in line.split()] for line in out.splitlines()])


def best_of_all(e, x, sum_to_one, price=0.0):
    """Each set of endmembers solved as an equality-constrained problem; of those without negative values the best."""
    k = len(e)
    best, answer = np.inf, None
    for n in range(1 if sum_to_one else 0, k + 1):
        for chosen in itertools.combinations(range(k), n):
            s = list(chosen)
            g, b = e[s] @ e[s].T, e[s] @ x - price
            if sum_to_one:
                m = np.block([[g, np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
                a = np.linalg.solve(m, np.append(b, 1))[:n]
            else:
                a = np.linalg.solve(g, b) if n else np.zeros(0)
            if (a < 0).any():
                continue
            objective = 0.5 * a @ g @ a - b @ a
            if objective < best:
                best, answer = objective, np.zeros(k)
                answer[s] = a
    return answer


def spectra(rng, k, p):
    """Peaks on a common background: far from orthogonal."""
    t = np.linspace(0, 1, p)
    return 1 + np.exp(-(((t - rng.random((k, 1))) / (0.05 + 0.2 * rng.random((k, 1)))) ** 2)) * (0.5 + rng.random((k, 1)))


def main():
    driver = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "unit", "test_abundance")
    rng = np.random.default_rng(4)
    with tempfile.TemporaryDirectory() as folder:
        for k in range(1, 17):
            e = spectra(rng, k, 60)
            x = rng.dirichlet(np.full(k, 0.5), 150) * (0.5 + 2 * rng.random((150, 1))) @ e + 0.1 * rng.normal(size=(150, 60))
            x[0] = 0
            x[1] *= -1
            want = np.array([nnls(e.T, row)[0] for row in x])
            for table in (True, False):
                off = np.abs(solve(driver, "nnls", e, x, folder, table=table) - want).max()
                check(off < 1e-7, "nnls, %d endmembers%s: %.1e from scipy" % (k, "" if table else ", no table", off))
            both = np.abs(solve(driver, "nnls-sum", e, x[2:], folder) - want[2:] / want[2:].sum(1, keepdims=True)).max()
            check(both < 1e-7, "nnls-sum, %d endmembers: %.1e from scipy" % (k, both))
            least = np.linalg.lstsq(e.T, x.T, rcond=None)[0].T
            off = np.abs(solve(driver, "ls", e, x, folder) - least).max()
            check(off < 1e-7, "ls, %d endmembers: %.1e from numpy" % (k, off))
        for k in range(1, 7):
            e = spectra(rng, k, 60)
            x = rng.dirichlet(np.full(k, 0.4), 40) @ e + 0.2 * rng.normal(size=(40, 60))
            price = 0.02
            square = (e**2).sum(1).mean()
            for table in (True, False):
                word = "" if table else ", no table"
                off = np.abs(solve(driver, "fcls", e, x, folder, table=table) - [best_of_all(e, row, True) for row in x]).max()
                check(off < 1e-9, "fcls, %d endmembers%s: %.1e from the best of all sets" % (k, word, off))
                sparse = np.array([best_of_all(e, row, False, price * square) for row in x])
                off = np.abs(solve(driver, "sunsal", e, x, folder, price, table) - sparse).max()
                check(off < (1e-9 if table else 1e-6), "sunsal, %d endmembers%s: %.1e from the best of all sets" % (k, word, off))
        heavy = 1e5
        for k in (8, 14):
            e = spectra(rng, k, 80)
            x = rng.dirichlet(np.full(k, 0.4), 100) @ e + 0.1 * rng.normal(size=(100, 80))
            tall = np.vstack([e.T, np.full((1, k), heavy)])
            want = np.array([nnls(tall, np.append(row, heavy))[0] for row in x])
            off = np.abs(solve(driver, "fcls", e, x, folder) - want).max()
            check(off < 1e-6, "fcls, %d endmembers: %.1e from scipy with a heavy row for the sum" % (k, off))
        e = spectra(rng, 30, 60)                  # a library, three of it present
        x = rng.dirichlet(np.ones(3), 60) @ e[[3, 11, 20]] + 0.01 * rng.normal(size=(60, 60))
        off = np.abs(solve(driver, "nnls", e, x, folder) @ e - np.array([nnls(e.T, row)[0] for row in x]) @ e).max()
        check(off < 1e-7, "a library of 30: the fit is scipy's to %.1e" % off)
    print("1..%d" % count)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
