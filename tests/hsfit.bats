# hsfit: parameters of scenes whose truth is known, error bars and criteria against NumPy and SciPy, formulas, alternatives, starts,
# and spectra that have no answer.
# shellcheck disable=SC2154 # stderr is set by gives
load lib/common

# array FILE.nxs AXES EXPRESSION: numbers made by NumPy (np, rng, and x, the axis of 80 channels), loaded
array() {
	need_python numpy
	"$PYTHON" -c "import numpy as np; rng = np.random.default_rng(7); x = 270 + 0.5 * np.arange(80)
g = lambda h, c, w: h * np.exp(-4 * np.log(2) * ((x - c) / w) ** 2)
np.save('array.npy', $3)" && hsload -q -f -a "$2" array.npy -o "$1"
}

ENERGY='y,x,energy=270:0.5:eV'

# peaks FILE [NOISE]: 6 x 7 Gaussian peaks on a line, whose centre and width change
peaks() {
	array "$1" "$ENERGY" "np.array([[g(100, 285 + 0.4 * j, 4 + 0.3 * i) + 5 + 0.1 * (x - 270) + rng.normal(0, ${2:-2}, 80)
		for j in range(7)] for i in range(6)])"
}

# numbers FILE... STATEMENTS: Python about results of the newest step, result(0, 'r2') of the first file
numbers() {
	need_python h5py
	"$PYTHON" - "$@" <<- 'END' || fails "${*: -1}"
	import sys, h5py, numpy as np
	files = [h5py.File(name, 'r') for name in sys.argv[1:-1]]
	def step(i):
	    entry = files[i]['entry']
	    return entry[max(k for k in entry if k.startswith('process_'))]
	def result(i, name, what='data'): return step(i)[name][what][()]
	def data(i): return files[i]['entry/data/data'][()]
	def truth(i, name): return files[i]['entry/process_01_hsgen'][name]['data'][()]
	x = 270 + 0.5 * np.arange(80)
	gauss = lambda x, h, c, w, o, s: h * np.exp(-4 * np.log(2) * ((x - c) / w) ** 2) + o + s * x
	names = ['gaussian_height', 'gaussian_centre', 'gaussian_width', 'line_offset', 'line_slope']
	exec(sys.argv[-1])
	END
}

same_results() {
	hscmp -t 0 --all "$1" "$2"
}

# -------------------------------------------------------------------- what is found

@test "peaks of counts: the truth is inside the 95 % intervals in 93 to 97 % of the pixels, chi2 is 1" {
	hsgen peaks -k 1 --size 48x40x96 -c 2000 -o scene.nxs
	hsfit -m lorentzian+constant --noise poisson scene.nxs -o out.nxs
	check out.nxs
	numbers out.nxs scene.nxs 'for name, true in [("lorentzian_centre", "true_position"), ("lorentzian_width", "true_width"), ("lorentzian_height", "true_height"), ("constant_offset", "true_background")]:
    t = truth(1, true).reshape(40, 48)
    inside = np.mean(np.abs(result(0, name) - t) <= 1.959964 * result(0, name, "data_errors"))
    assert 0.93 < inside < 0.97, (name, inside)
assert abs(np.median(result(0, "reduced_chi2")) - 1) < 0.03 and not result(0, "status").any()'
}

@test "parameters, error bars, covariance, chi2, R2, AICc are those of SciPy and NumPy" {
	need_python scipy
	peaks in.nxs
	hsfit -m gaussian+line --covariance in.nxs -o out.nxs
	numbers out.nxs in.nxs 'from scipy.optimize import curve_fit
for i, j in [(0, 0), (2, 3), (5, 6)]:
    y, n, k = data(1)[i, j], 80, 5
    p, c = curve_fit(gauss, x, y, [90, 285 + .4 * j, 4, 5, .1], xtol=1e-14, ftol=1e-14)
    ours = [result(0, m)[i, j] for m in names]; sigma = [result(0, m, "data_errors")[i, j] for m in names]
    assert np.allclose(ours, p, rtol=1e-6), (ours, p)
    assert np.allclose(sigma, np.sqrt(np.diag(c)), rtol=1e-5), (sigma, np.sqrt(np.diag(c)))
    assert np.allclose(result(0, "covariance")[:, :, i, j], c, rtol=1e-4, atol=1e-6 * np.abs(c).max())
    rss = np.sum((y - gauss(x, *ours)) ** 2)
    assert np.isclose(result(0, "reduced_chi2")[i, j], rss / (n - k), rtol=1e-10)
    assert np.isclose(result(0, "r2")[i, j], 1 - rss / np.sum((y - y.mean()) ** 2), rtol=1e-10)
    assert np.isclose(result(0, "aicc")[i, j], n * np.log(rss / n) + 2 * 6 + 2 * 6 * 7 / (n - 7), rtol=1e-10)
    h, w = ours[0], ours[2]; f = np.sqrt(np.pi / (4 * np.log(2)))
    assert np.isclose(result(0, "gaussian_area")[i, j], f * h * w, rtol=1e-10)
    v = f * np.array([w, 0, h, 0, 0])
    assert np.isclose(result(0, "gaussian_area", "data_errors")[i, j], np.sqrt(v @ c @ v), rtol=1e-5)'
}

@test "known noise and counts: error bars and criteria follow from it" {
	need_python scipy
	array in.nxs "$ENERGY" 'rng.poisson(np.array([[g(20, 285 + j, 5) + 2 for j in range(4)] for i in range(3)])).astype(float)'
	local noise
	for noise in 'sigma --sigma 3' counts poisson; do
		# shellcheck disable=SC2086
		hsfit -m gaussian+constant --noise $noise in.nxs -f -o "${noise%% *}.nxs"
	done
	numbers sigma.nxs counts.nxs poisson.nxs in.nxs 'from scipy.optimize import curve_fit, minimize
names = ["gaussian_height", "gaussian_centre", "gaussian_width", "constant_offset"]
f = lambda x, h, c, w, o: gauss(x, h, c, w, o, 0)
for j in range(4):
    y = data(3)[1, j]
    for i, s in [(0, np.full(80, 3.)), (1, np.sqrt(np.maximum(y, 1)))]:
        p, c = curve_fit(f, x, y, [20, 285 + j, 5, 2], sigma=s, absolute_sigma=True, xtol=1e-14, ftol=1e-14)
        assert np.allclose([result(i, m)[1, j] for m in names], p, rtol=1e-5)
        assert np.allclose([result(i, m, "data_errors")[1, j] for m in names], np.sqrt(np.diag(c)), rtol=1e-4)
        chi2 = np.sum(((y - f(x, *p)) / s) ** 2)
        assert np.isclose(result(i, "reduced_chi2")[1, j], chi2 / 76) and np.isclose(result(i, "aicc")[1, j], chi2 + 8 + 40 / 75)
    deviance = lambda p: 2 * np.sum(f(x, *p) - y + np.where(y > 0, y * np.log(np.maximum(y, 1) / f(x, *p)), 0))
    ours = np.array([result(2, m)[1, j] for m in names])
    best = minimize(deviance, ours * 1.01, method="Nelder-Mead", options=dict(xatol=1e-9, fatol=1e-11, maxiter=4000))
    assert np.allclose(ours, best.x, rtol=1e-4) and deviance(ours) <= best.fun + 1e-8
    assert np.isclose(result(2, "reduced_chi2")[1, j], deviance(ours) / 76)
    J = np.array([(f(x, *(ours + h)) - f(x, *(ours - h))) / 2e-5 for h in 1e-5 * np.eye(4)])
    assert np.allclose([result(2, m, "data_errors")[1, j] for m in names], np.sqrt(np.diag(np.linalg.inv(J / f(x, *ours) @ J.T))), rtol=1e-5)'
}

@test "--robust: spikes do not count, and error bars stay honest" {
	array in.nxs "$ENERGY" 'np.where(rng.random((40, 30, 80)) < 0.03, 3000, 0) + g(100, 289, 6) + 5 + rng.normal(0, 2, (40, 30, 80))'
	hsfit -m gaussian+constant --robust in.nxs -o out.nxs
	hsfit -m gaussian+constant in.nxs -o plain.nxs
	numbers out.nxs plain.nxs 'bad = np.abs(result(1, "gaussian_centre") - 289) > 0.5
assert bad.mean() > 0.5
for name, true in [("gaussian_height", 100), ("gaussian_centre", 289), ("gaussian_width", 6), ("constant_offset", 5)]:
    inside = np.mean(np.abs(result(0, name) - true) <= 1.959964 * result(0, name, "data_errors"))
    assert 0.92 < inside < 0.98, (name, inside)'
}

@test "a pixel that went wrong begins again at its neighbours" {
	array in.nxs "$ENERGY" 'np.array([[g(100, 285, 4) + g(160 if i == j == 2 else 40, 300, 3) + rng.normal(0, 1, 80) for j in range(5)] for i in range(5)])'
	hsfit -m gaussian -r 270:295eV in.nxs -f -o near.nxs
	numbers near.nxs 'assert np.all(np.abs(result(0, "centre") - 285) < 0.2)'
	array two.nxs "$ENERGY" 'np.array([[g(100, 285, 4) + g(60 if (i, j) != (2, 2) else 140, 300, 3) + rng.normal(0, 1, 80) for j in range(5)] for i in range(5)])'
	hsfit -m gaussian+gaussian --start gaussian1_centre=285,gaussian2_centre=300 two.nxs -o both.nxs
	numbers both.nxs 'assert np.all(np.abs(result(0, "gaussian1_centre") - 285) < 0.3) and np.all(np.abs(result(0, "gaussian2_centre") - 300) < 0.3)'
}

# -------------------------------------------------------------------- what is said about parameters

@test "--range, in any unit: what curve_fit finds on those channels" {
	need_python scipy
	peaks in.nxs
	hsfit -m gaussian+line -r 0.272:0.305keV in.nxs -o range.nxs
	numbers range.nxs in.nxs 'from scipy.optimize import curve_fit
w = (x >= 272) & (x <= 305)
p, c = curve_fit(gauss, x[w], data(1)[1, 2][w], [90, 286, 4, 5, .1], xtol=1e-14, ftol=1e-14)
assert np.allclose([result(0, m)[1, 2] for m in names], p, rtol=1e-5)
assert np.allclose([result(0, m, "data_errors")[1, 2] for m in names], np.sqrt(np.diag(c)), rtol=1e-4)'
}

@test "--start, --fix, --bound, --tie, in any unit" {
	peaks in.nxs
	hsfit -m gaussian+line --fix gaussian_width=5000meV in.nxs -o fix.nxs
	numbers fix.nxs 'assert np.all(result(0, "gaussian_width") == 5) and not result(0, "gaussian_width", "data_errors").any()
assert np.all(result(0, "gaussian_centre", "data_errors") > 0)'
	hsfit -m gaussian+line --bound gaussian_width=1:4.5,line_slope=0: in.nxs -o bound.nxs
	numbers bound.nxs 'w, s = result(0, "gaussian_width"), result(0, "status")
assert w.max() == 4.5 and np.all(s[w == 4.5] == 2) and np.all(result(0, "gaussian_width", "data_errors")[w == 4.5] == 0) and (s == 0).any()'
	hsfit -m gaussian+gaussian+constant -s gaussian1_centre=284,gaussian2_centre=290 --tie gaussian2_width=gaussian1_width,gaussian2_height=0.5*gaussian1_height in.nxs -o tie.nxs
	numbers tie.nxs 'assert np.array_equal(result(0, "gaussian1_width"), result(0, "gaussian2_width"))
assert np.array_equal(result(0, "gaussian2_height"), 0.5 * result(0, "gaussian1_height"))
assert np.allclose(result(0, "gaussian2_height", "data_errors"), 0.5 * result(0, "gaussian1_height", "data_errors"))'
}

@test "--from: an earlier result, of as many spectra or of one" {
	peaks in.nxs
	array one.nxs energy=270:0.5:eV 'g(90, 286, 5) + 8'
	array few.nxs "$ENERGY" 'np.ones((2, 3, 80))'
	hsfit -m gaussian+line in.nxs -o first.nxs
	hsfit -q -m gaussian+line one.nxs -o single.nxs
	hsfit -m gaussian+line --from first.nxs --max-iter 3 --sweeps 0 in.nxs -o again.nxs
	numbers again.nxs 'assert not result(0, "status").any()'
	hsfit -m gaussian+line --from single.nxs in.nxs -o other.nxs
	hscmp -t 1e-5 --all first.nxs again.nxs
	hscmp -t 1e-5 -d gaussian_centre first.nxs other.nxs
	refuses 3 hsfit -m gaussian+line --from first.nxs few.nxs -o out.nxs
	says "42 values of 'gaussian_height' for 6 spectra"
	refuses 2 hsfit -m lorentzian+line --from first.nxs in.nxs -o out.nxs
	says "--from: no signal 'lorentzian_height'"
}

# -------------------------------------------------------------------- formulas

@test "a formula gives what the model of that formula gives, with units" {
	peaks in.nxs
	hsfit -m gaussian+line in.nxs -o model.nxs
	hsfit -m 'expr: h * exp(-4*log(2) * ((x - c) / w)^2) + o + s*x' -s c=287eV,w=4eV in.nxs -o formula.nxs
	check formula.nxs
	numbers model.nxs formula.nxs 'for a, b in zip(names, "hcwos"):
    assert np.allclose(result(0, a), result(1, b), rtol=1e-7) and np.allclose(result(0, a, "data_errors"), result(1, b, "data_errors"), rtol=1e-5)
    assert step(0)[a]["data"].attrs["units"] == step(1)[b]["data"].attrs["units"], b'
	hsfit -m 'gaussian + expr: o + s*x' in.nxs -o mixed.nxs
	numbers model.nxs mixed.nxs 'assert np.allclose(result(0, "gaussian_width"), result(1, "gaussian_width"), rtol=1e-7)
assert np.allclose(result(0, "line_slope"), result(1, "expr_s"), rtol=1e-5)'
}

@test "a formula that is not defined everywhere is fitted where it is" {
	array in.nxs y,x,energy=-5:0.25:eV '3 * np.sqrt(np.maximum(np.arange(80) * 0.25 - 5, 0)) + np.zeros((2, 2, 80))'
	hsfit -m 'expr: a * sqrt(x) + b' -r 0.5:20 in.nxs -o out.nxs
	numbers out.nxs 'assert np.allclose(result(0, "a"), 3, rtol=1e-9) and not result(0, "status").any()'
	gives 0 hsfit -m 'expr: a * sqrt(x) + b' in.nxs -o none.nxs
	numbers none.nxs 'assert np.all(result(0, "status") == 5) and np.isnan(result(0, "a")).all()'
}

@test "files of models: HS_MODELS, the folder, a path; those that come along" {
	array in.nxs "$ENERGY" 'np.array([[50 / (1 + np.exp(-(x - 290 - j) / 2)) + 7 + rng.normal(0, 0.5, 80) for j in range(4)] for i in range(3)])'
	mkdir here
	printf 'what a step\nformula height/(1+exp(-(x-centre)/width))+offset\nparameter centre start=x_middle\nparameter width start=0.05*x_span low=0\n' > here/mine.model
	HS_MODELS=/nowhere:here hsfit -m mine in.nxs -o env.nxs
	(cd here && hsfit -m mine ../in.nxs -o ../folder.nxs)
	hsfit -m ./here/mine.model in.nxs -o path.nxs
	same_results env.nxs path.nxs
	same_results env.nxs folder.nxs
	numbers env.nxs 'assert np.all(np.abs(result(0, "centre") - 290 - np.arange(4)) < 0.3) and np.all(np.abs(result(0, "height") - 50) < 2)
assert step(0)["centre"]["data"].attrs["units"] == "eV"'
	HS_MODELS="$HOUSE/share/models" hsfit -m sigmoid in.nxs -o shipped.nxs
	hscmp -t 1e-9 -d centre env.nxs shipped.nxs
	HS_MODELS=here gives 0 hsfit --list
	says "mine               a step"
	says "gaussian "
	array iv.nxs y,x,bias=-0.5:0.0125:V '2e-9 * (np.exp((np.arange(80) * 0.0125 - 0.5) / 0.04) - 1) + np.zeros((2, 2, 80))'
	HS_MODELS="$HOUSE/share/models" hsfit -m diode iv.nxs -o iv_out.nxs
	numbers iv_out.nxs 'assert np.allclose(result(0, "voltage"), 0.04, rtol=1e-6) and step(0)["voltage"]["data"].attrs["units"] == "V"'
	echo 'formula a*' > here/bad.model
	HS_MODELS=here refuses 3 hsfit -m bad in.nxs -o out.nxs
	says "'here/bad.model', line 1: expected a number"
}

@test "formulas that are none: one sentence" {
	peaks in.nxs
	refuses 2 hsfit -m 'expr: a*exp(-x/t' in.nxs -o out.nxs
	says "expected ')'"
	refuses 2 hsfit -m 'expr: a*exp(-x/t)' in.nxs -o out.nxs
	says "where do these begin: --start t=..."
	refuses 2 hsfit -m 'expr: status*x' in.nxs -o out.nxs
	refuses 2 hsfit -m 'expr: 3*x' in.nxs -o out.nxs
	refuses 2 hsfit -m "expr: $(printf '(%.0s' {1..3000})" in.nxs -o out.nxs
	says "nested deeper"
	[ ! -e out.nxs ]
}

# -------------------------------------------------------------------- alternatives

@test "alternatives: Akaike weights by NumPy, the best model, their names" {
	array in.nxs "$ENERGY" 'np.array([[(g(100, 288, 5) if i < 3 else 100 / (1 + (2 * (x - 288) / 5) ** 2)) + rng.normal(0, 3, 80) for j in range(7)] for i in range(6)])'
	hsfit -m 'gaussian | lorentzian+constant' --report report.json in.nxs -o out.nxs
	check out.nxs
	numbers out.nxs 'a = np.array([result(0, "m1_aicc"), result(0, "m2_aicc")]); w = np.exp(-0.5 * (a - a.min(0))); w /= w.sum(0)
assert np.allclose(result(0, "weights"), w, rtol=1e-5, atol=1e-7) and np.array_equal(result(0, "best_labels"), a.argmin(0))
assert not result(0, "best_labels")[:3].any() and result(0, "best_labels")[3:].all()
flags = dict(step(0)["best_labels"]["data"].attrs)
assert flags["flag_meanings"] == "gaussian lorentzian+constant" and flags["flag_values"] == "0 1", flags'
	jq -e '[.models[].best_in] == [21, 21]' report.json
}

# -------------------------------------------------------------------- what takes no part

@test "masked and NaN pixels are skipped, a flat one has no start, and none disturbs its neighbours" {
	array in.nxs "$ENERGY" 'np.array([[g(100, 288, 5) + 3 + rng.normal(0, 1, 80) for j in range(4)] for i in range(3)])'
	array holes.nxs "$ENERGY" '(lambda d: (d.__setitem__((0, 1, 5), np.nan), d.__setitem__((1, 1), 4.0), d)[2])(np.array([[g(100, 288, 5) + 3 + rng.normal(0, 1, 80) for j in range(4)] for i in range(3)]))'
	array mask.nxs y,x 'np.array([[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])'
	hsfit -m gaussian+constant --sweeps 0 in.nxs -o all.nxs
	hsfit -m gaussian+constant --sweeps 0 --mask mask.nxs holes.nxs --report report.json -o out.nxs
	check out.nxs
	numbers all.nxs out.nxs 's = result(1, "status")
assert s[0, 1] == 6 and s[0, 3] == 6 and s[1, 1] == 5 and (s == 0).sum() == 9
for name in ["gaussian_centre", "gaussian_width", "r2", "aicc", "reduced_chi2"]:
    assert np.array_equal(np.isnan(result(1, name)), s != 0) and np.array_equal(result(0, name)[s == 0], result(1, name)[s == 0])'
	jq -e '.models[0].status | .converged == 9 and .skipped == 2 and .no_start == 1' report.json
}

@test "a model that meets the data exactly has a finite criterion" {
	array in.nxs "$ENERGY" '(3 + 0.25 * x) * np.ones((2, 3, 1))'
	hsfit -m 'line|constant' in.nxs -o out.nxs
	numbers out.nxs 'assert np.isfinite(result(0, "m1_aicc")).all() and np.allclose(result(0, "m1_line_slope" if "m1_line_slope" in step(0) else "m1_slope"), 0.25)
assert np.array_equal(result(0, "best_labels"), np.zeros((2, 3)))'
}

@test "fewer channels than parameters, parameters the data do not tell apart: flagged" {
	array few.nxs y,x,energy 'rng.normal(size=(2, 2, 3))'
	hsfit -m gaussian+line few.nxs -o few_out.nxs
	numbers few_out.nxs 'assert np.all(result(0, "status") == 5)'
	peaks in.nxs
	hsfit -m 'expr: a*x + b*x' in.nxs -o same.nxs
	numbers same.nxs 'assert np.all(result(0, "status") == 3), result(0, "status")'
}

@test "--deadline: what was not reached says so, status 5" {
	hsgen peaks -k 2 --size 128x128x96 -o scene.nxs
	gives 5 hsfit -m lorentzian+lorentzian+constant --deadline 1ms scene.nxs --report report.json -o out.nxs
	says "stopped by --deadline"
	check out.nxs
	numbers out.nxs 's = result(0, "status"); assert (s == 7).any() and np.isnan(result(0, "lorentzian1_centre")[s == 7]).all()'
	jq -e '.models[0].status.not_reached > 0' report.json
}

# -------------------------------------------------------------------- the same answer, however it is asked

@test "the same bytes for any number of threads, with sweeps, robust weights, bounds and alternatives" {
	hsgen peaks -k 2 --size 30x25x64 -c 300 -o scene.nxs
	local j
	for j in 1 2 3 8; do
		hsfit -q -j $j -m 'lorentzian+lorentzian+constant|gaussian+line' --robust --covariance scene.nxs -o $j.nxs
		[ $j = 1 ] || same_results 1.nxs $j.nxs
		hsfit -q -j $j -m 'expr: a / (1 + ((x - c) / w)^2) + b' -s c=120,w=5 --bound w=0.5:40 --noise poisson scene.nxs -o formula$j.nxs
		[ $j = 1 ] || same_results formula1.nxs formula$j.nxs
	done
}

@test "a single spectrum, a line of them, points, a pipe" {
	array one.nxs energy=270:0.5:eV 'g(90, 286, 5) + 8 + rng.normal(0, 1, 80)'
	hsfit -m gaussian+constant one.nxs -o one_out.nxs
	numbers one_out.nxs 'assert abs(result(0, "gaussian_centre") - 286) < 0.3'
	array line.nxs x,energy=270:0.5:eV 'np.array([g(90, 286 + i, 5) + 8 + rng.normal(0, 1, 80) for i in range(9)])'
	hsfit -m gaussian+constant line.nxs -o line_out.nxs
	hsfit -m gaussian+constant < line.nxs > pipe.nxs
	check one_out.nxs line_out.nxs pipe.nxs
	same_results line_out.nxs pipe.nxs
	numbers line_out.nxs 'assert np.all(np.abs(result(0, "gaussian_centre") - 286 - np.arange(9)) < 0.4)'
}

# -------------------------------------------------------------------- how it is used

@test "examples: the worst, a middling and the best fit over their data" {
	peaks in.nxs
	hsfit -m gaussian+line in.nxs -o out.nxs
	numbers out.nxs in.nxs 'c = result(0, "reduced_chi2").ravel(); d = data(1).reshape(-1, 80)
for e, i in [(0, c.argmax()), (2, c.argmin())]:
    assert np.array_equal(result(0, "examples", "measured")[e], d[i])
    p = [result(0, n).ravel()[i] for n in names]
    assert np.allclose(result(0, "examples")[e], gauss(x, *p), rtol=1e-9)'
}

@test "-n says what would be done; --list needs no file" {
	peaks in.nxs
	gives 0 hsfit -n -m gaussian in.nxs -o out.nxs
	[ "$stderr" = "hsfit: would fit 42 spectra of 80 channels and write out.nxs" ]
	[ ! -e out.nxs ]
	gives 0 hsfit --list
	says "height exp(-4 ln 2 ((x - centre) / width)^2)"
	says "height, centre, width; derived: area"
}

@test "asked wrongly: status 2, one line, no file" {
	peaks in.nxs
	refuses 2 hsfit in.nxs -o out.nxs
	says "which model?"
	refuses 2 hsfit -m nothing in.nxs -o out.nxs
	says "no model 'nothing': there are"
	refuses 2 hsfit -m gaussian+ in.nxs -o out.nxs
	refuses 2 hsfit -m '|' in.nxs -o out.nxs
	refuses 2 hsfit -m 'line|line|line|line|line|line|line|line|line' in.nxs -o out.nxs
	refuses 2 hsfit -m gaussian -s center=3 in.nxs -o out.nxs
	says "no parameter 'center': there are height, centre, width"
	refuses 2 hsfit -m gaussian -s centre=3nm in.nxs -o out.nxs
	refuses 2 hsfit -m gaussian -s centre in.nxs -o out.nxs
	refuses 2 hsfit -m gaussian --bound centre=5:3 in.nxs -o out.nxs
	refuses 2 hsfit -m gaussian --bound centre=5 in.nxs -o out.nxs
	refuses 2 hsfit -m gaussian --tie width=3*nothing in.nxs -o out.nxs
	refuses 2 hsfit -m gaussian --tie width=width in.nxs -o out.nxs
	refuses 2 hsfit -m gaussian+gaussian+gaussian --tie gaussian1_width=gaussian2_width,gaussian2_width=gaussian3_width in.nxs -o out.nxs
	refuses 2 hsfit -m gaussian -r 1:2 in.nxs -o out.nxs
	says "no channel is between 1 and 2 eV"
	refuses 2 hsfit -m gaussian --noise sigma in.nxs -o out.nxs
	refuses 3 hsfit -m gaussian -d sum_image in.nxs -o out.nxs
	refuses 4 hsfit -m gaussian --from missing.nxs in.nxs -o out.nxs
	[ ! -e out.nxs ]
	nothing_left
}
