#!/usr/bin/env python3
"""Tunnelling and force models against scipy: sts.py [BUILD]

The driver BUILD/unit/test_sts (default: build) evaluates and fits. Broadened densities of states are compared with adaptive
quadrature on the real axis, fits with curve_fit of the formulas written out here. Exit status 0 agrees, 1 differs, 77 skipped.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from scipy.integrate import quad
    from scipy.optimize import brentq, curve_fit
    from scipy.special import ellipk
except ImportError as e:
    print("1..0 # skip: %s" % e)
    sys.exit(77)

EV_PER_K = 1.380649e-23 / 1.602176634e-19
count = failures = 0


def check(ok, text):
    global count, failures
    count += 1
    failures += not ok
    print("%s %d - %s" % ("ok" if ok else "not ok", count, text))


class Driver:
    def __init__(self, program, folder):
        self.program, self.path = program, os.path.join(folder, "data.f64")

    def run(self, *words):
        return subprocess.run([self.program] + [str(w) for w in words], check=True, capture_output=True, text=True).stdout

    def value(self, model, x_unit, y_unit, x, p):
        np.asarray(x, "<f8").tofile(self.path)
        return np.array(self.run("eval", model, x_unit, y_unit, self.path, len(x), *["%.17g" % v for v in p]).split(), float)

    def fit(self, model, x_unit, y_unit, x, y, fixed=""):
        np.concatenate([x, y]).astype("<f8").tofile(self.path)
        lines = self.run("fit", model, x_unit, y_unit, self.path, len(x), fixed).splitlines()
        return {w[0]: (float(w[1]), float(w[2])) for w in map(str.split, lines)}


# ---------------------------------------------------------------- densities of states on the real axis


def s_wave(e, gap, gamma):
    if gamma == 0:
        return abs(e) / np.sqrt(e * e - gap * gap) if abs(e) > gap else 0.0
    z = complex(e, -gamma)
    return abs((z / np.sqrt(z - gap) / np.sqrt(z + gap)).real)


def d_wave(e, gap, gamma):
    if gamma == 0:
        k = abs(e) / gap
        return 2 / np.pi * (k * ellipk(k * k) if k < 1 else ellipk(1 / k ** 2))
    return quad(lambda a: s_wave(e, gap * np.cos(a), gamma), 0, np.pi / 2, epsabs=1e-11, epsrel=1e-11, limit=200)[0] * 2 / np.pi


def pieces(f, lo, hi, at):
    """Integral with breaks and integrable poles at some places: by x = a + t^2 from each end of each piece."""
    ends = [lo] + sorted(a for a in set(at) if lo < a < hi) + [hi]
    total = 0
    for a, b in zip(ends, ends[1:]):
        m = 0.5 * (a + b)
        root = np.sqrt(m - a)
        total += quad(lambda t: 2 * t * f(a + t * t), 0, root, epsabs=1e-12, epsrel=1e-11, limit=400)[0]
        total += quad(lambda t: 2 * t * f(b - t * t), 0, root, epsabs=1e-12, epsrel=1e-11, limit=400)[0]
    return total


def heated(density, e, gap, gamma, kt):
    def integrand(x):
        return density(x, gap, gamma) / (4 * kt * np.cosh((x - e) / (2 * kt)) ** 2)
    around = [e, gap, -gap, 0] + [s * gap + k * max(gamma, 1e-3 * gap) for s in (-1, 1) for k in (-10, -1, 1, 10)]
    return pieces(integrand, e - 42 * kt, e + 42 * kt, around)


def modulated(density, e, gap, gamma, kt, amplitude):
    if amplitude == 0:
        return heated(density, e, gap, gamma, kt)
    if kt == 0:
        def integrand(s):
            return 2 / np.pi * np.sqrt(1 - s * s) * density(e + amplitude * s, gap, gamma)
        edges = [(c - e) / amplitude for c in (-gap, 0, gap)]
        return pieces(integrand, -1, 1, edges + [v + k * gamma / amplitude for v in edges for k in (-10, -1, 1, 10)])
    # the semicircle by Gauss and Chebyshev: what is heated is analytic
    m = 60
    angle = np.pi * np.arange(1, m + 1) / (m + 1)
    return sum(2 * np.sin(a) ** 2 / (m + 1) * heated(density, e + amplitude * np.cos(a), gap, gamma, kt) for a in angle)


def broadening(d):
    cases = [(1.4, 0.05, 1.2, 0), (1.4, 0, 1.2, 0), (1.4, 0, 0.3, 0), (1.1, 0.4, 9.3, 0), (2.6, 1e-3, 0.1, 0), (1.4, 0.05, 0, 0.5),
             (1.4, 0, 0, 0.7), (1.4, 0.05, 1.2, 0.3), (1.4, 0, 4.2, 1)]
    for gap, gamma, temperature, amplitude in cases:
        kt = EV_PER_K * 1e3 * temperature
        x = np.array([-5.1, -1.45, 0.03, 0.7, 1.37, 1.4, 1.62, 2.6, 4.0]) if amplitude == 0 or kt == 0 else np.array([0.03, 1.37, 2.0])
        want = np.array([modulated(s_wave, e, gap, gamma, kt, amplitude) for e in x])
        got = d.value("dynes", "mV", "nS", x, [1, gap, gamma, 0, 0, temperature, amplitude])
        check(np.abs(got - want).max() < 1e-8, "dynes: gap %g, gamma %g, %g K, %g mV: quadrature to %.1e" % (
            gap, gamma, temperature, amplitude, np.abs(got - want).max()))
        grid = np.linspace(-6, 6, 1201)        # an even axis takes another way
        even = d.value("dynes", "mV", "nS", grid, [1, gap, gamma, 0, 0, temperature, amplitude])
        near = [np.argmin(np.abs(grid - e)) for e in (0.03, 1.37, 2.6)]
        want = np.array([modulated(s_wave, grid[i], gap, gamma, kt, amplitude) for i in near])
        check(np.abs(even[near] - want).max() < 1e-8, "... on an even axis to %.1e" % np.abs(even[near] - want).max())
    for gap, gamma, temperature in [(30, 0, 4.2), (30, 0, 77), (40, 3, 10)]:
        kt = EV_PER_K * 1e3 * temperature
        x = np.array([-61.0, 0.5, 12, 29.7, 44])
        want = np.array([heated(d_wave, e, gap, gamma, kt) for e in x[:5 if gamma == 0 else 2]])
        got = d.value("d_wave", "mV", "nS", x, [1, gap, gamma, 0, 0, temperature, 0])[:len(want)]
        check(np.abs(got - want).max() < 1e-8, "d_wave: gap %g, gamma %g, %g K: quadrature to %.1e" % (
            gap, gamma, temperature, np.abs(got - want).max()))


# ---------------------------------------------------------------- fits


def compare(d, name, units, x, y, fixed, fn, start, names):
    """Our fit beside curve_fit from the truth: the same minimum, the same error bars."""
    mine = d.fit(name, units[0], units[1], x, y, fixed)
    scale = np.abs(start)
    want, cov = curve_fit(lambda t, *q: fn(t, *(np.array(q) * scale)), x, y, p0=np.sign(start), ftol=1e-15, xtol=1e-15, gtol=1e-15,
                          maxfev=20000)
    want, sigma = want * scale, np.sqrt(np.diag(cov)) * scale
    ours = np.array([mine[n] for n in names])
    off = np.abs(ours[:, 0] - want) / sigma
    check(off.max() < 1e-3, "%s: curve_fit's minimum to %.1e error bars" % (name, off.max()))
    bars = np.abs(ours[:, 1] / sigma - 1).max()
    check(bars < 1e-3, "%s: its error bars to %.1e" % (name, bars))
    cost, theirs = (np.sum((y - fn(x, *q)) ** 2) for q in (ours[:, 0], want))
    check(cost <= theirs * (1 + 1e-8), "%s: a cost no higher (%.1e)" % (name, cost / theirs - 1))
    return mine


def dynes(x, scale, gap, gamma, centre, kt):
    u = np.linspace(-40, 40, 8001)
    kernel = 0.25 / np.cosh(0.5 * u) ** 2 * (u[1] - u[0])
    z = (x - centre)[:, None] + kt * u[None, :] - 1j * gamma
    return scale * np.abs((z / np.sqrt(z - gap) / np.sqrt(z + gap)).real) @ kernel


def jkr(x, baseline, contact, modulus, pull, radius, poisson):
    """Through the radius of contact, from nN and nm; modulus in Pa."""
    k = 4 / 3 * modulus * 1e-9 / (1 - poisson ** 2)

    def depth(root):
        a = np.cbrt(radius * pull / k * (1 + root) ** 2)
        return a * a / radius - 4 / 3 * np.sqrt(a * pull / (radius * k))
    out = np.full(len(x), baseline)
    for i, v in enumerate(x - contact):
        if v > depth(-2 / 3):
            out[i] += pull * (brentq(lambda r: depth(r) - v, -2 / 3, 1e4, xtol=1e-14, rtol=1e-14) ** 2 - 1)
    return out


def fits(d, rng):
    x = np.linspace(-6, 6, 121)
    kt = EV_PER_K * 1e3 * 1.2
    start = np.array([2.0, 1.4, 0.1, 0.15])
    y = dynes(x, *start, kt) + 0.02 * rng.normal(size=len(x))
    compare(d, "dynes", ("mV", "nS"), x, y, "temperature=1.2K", lambda t, *q: dynes(t, *q, kt), start, ["scale", "gap", "gamma", "centre"])

    z = np.linspace(0.4, 0.9, 80)
    start = np.array([3.0, 10.3])
    y = start[0] * np.exp(-2 * start[1] * (z - z[0])) + 0.01 * rng.normal(size=len(z))
    mine = compare(d, "barrier", ("nm", "nA"), z, y, "", lambda t, a, k: a * np.exp(-2 * k * (t - z[0])), start, ["current", "decay"])
    slope = -2 * mine["decay"][0] / 10     # d ln I / dz per angstrom
    check(abs(mine["work_function"][0] / (0.95249553 * slope ** 2) - 1) < 1e-6 and
          abs(mine["work_function"][1] / mine["work_function"][0] / (2 * mine["decay"][1] / mine["decay"][0]) - 1) < 1e-9,
          "barrier: a work function of %.4g eV, its error twice the relative one of the decay" % mine["work_function"][0])

    x = np.linspace(-300, 200, 251)
    names = ["baseline", "contact", "modulus"]
    start = np.array([0.3, 20.0, 2e6])

    def hertz(t, b, c, e):
        return b + 4 / 3 * e * 1e-9 / (1 - 0.09) * np.sqrt(100) * np.maximum(t - c, 0) ** 1.5
    y = hertz(x, *start) + 0.3 * rng.normal(size=len(x))
    compare(d, "hertz", ("nm", "nN"), x, y, "radius=100nm,poisson=0.3", hertz, start, names)

    def sneddon(t, b, c, e):
        return b + 2 / np.pi * e * 1e-9 / 0.75 * np.tan(np.radians(18)) * np.maximum(t - c, 0) ** 2
    y = sneddon(x, *start) + 0.3 * rng.normal(size=len(x))
    compare(d, "sneddon", ("nm", "nN"), x, y, "half_angle=18deg", sneddon, start, names)

    def dmt(t, b, c, e, pull):
        return b + 4 / 3 * e * 1e-9 / 0.75 * np.sqrt(50) * np.maximum(t - c, 0) ** 1.5 - pull * (2 / (2 + np.maximum(c - t, 0))) ** 2
    start = np.array([0.3, 21.0, 1e6, 5.0])
    y = dmt(x, *start) + 0.1 * rng.normal(size=len(x))
    compare(d, "dmt", ("nm", "nN"), x, y, "radius=50nm,range=2nm", dmt, start, names + ["adhesion"])
    y = jkr(x, *start, 50, 0.5) + 0.1 * rng.normal(size=len(x))
    mine = compare(d, "jkr", ("nm", "nN"), x, y, "radius=50nm", lambda t, *q: jkr(t, *q, 50, 0.5), start, names + ["adhesion"])
    check(abs(mine["adhesion_energy"][0] / (mine["adhesion"][0] * 1e-9 / (1.5 * np.pi * 50e-9)) - 1) < 1e-9,
          "jkr: work of adhesion %.4g J/m^2" % mine["adhesion_energy"][0])


def main():
    program = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "unit", "test_sts")
    if not os.path.exists(program):
        print("1..0 # skip: no %s" % program)
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        d = Driver(program, folder)
        broadening(d)
        fits(d, np.random.default_rng(5))
    print("1..%d" % count)
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
