# hsfit on complex spectra and on sweeps: band excitation, and hysteresis loops.
# shellcheck disable=SC2154 # stderr is set by gives
load lib/common

# Band excitation as NumPy knows it: b bias steps up, down and back, f frequencies.
BAND='import numpy as np, math, sys
rng = np.random.default_rng(5)
erf = np.vectorize(math.erf)
f = np.linspace(300e3, 400e3, 60)
k = np.arange(32) / 8
bias = np.where(k < 1, k, np.where(k < 3, 2 - k, k - 4)) * 8
rises = np.r_[True, np.diff(bias) > 0]
def sho(a, w, q, p): return a * np.exp(1j * p) * w**2 / (f**2 - 1j * f * w / q - w**2)
'
AXES='y,x,frequency=300000:1694.9152542372881:Hz'

# spectra FILE.nxs [EXPRESSION [AXES]]: 5 x 6 resonators z whose frequency and quality change, with noise, as the expression makes them
spectra() {
	need_python numpy
	"$PYTHON" -c "$BAND
clean = np.array([[sho(1e-5, 340e3 + 2e3 * i, 60. + 10 * j, 0.3 * j - 1) for j in range(6)] for i in range(5)])
z = clean + (rng.normal(size=clean.shape) + 1j * rng.normal(size=clean.shape)) * np.abs(clean).max() / 300
np.save('array.npy', ${2:-z})" && hsload -q -f -a "${3:-$AXES}" array.npy -o "$1"
}

# sweeps FILE.nxs [PHASE]: 4 x 3 pixels x 32 biases x 60 frequencies, whose response is a loop that is turned by a phase
sweeps() {
	need_python h5py
	"$PYTHON" - "${2:-0.6}" <<- END
	$BAND
	import h5py
	loop = np.where(rises, erf((bias - 2.2) / 1.5), erf((bias + 2.6) / 1.5)) * 1e-5
	w = 350e3 + 5e3 * rng.standard_normal((4, 3))
	z = np.array([[[sho(v, w[i, j], 100, float(sys.argv[1])) for v in loop] for j in range(3)] for i in range(4)])
	z += (rng.normal(size=z.shape) + 1j * rng.normal(size=z.shape)) * np.abs(z).max() / 4000
	with h5py.File('sweeps.h5', 'w') as h:
	    g = h.create_group('Measurement_000/Channel_000/be')
	    d = g.create_dataset('be', data=z.astype('c8'))
	    axes = [('y', np.arange(4) * 1e-9, 'm', 'SPATIAL'), ('x', np.arange(3) * 1e-9, 'm', 'SPATIAL'), ('bias', bias, 'V', 'SPECTRAL'),
	        ('frequency', f, 'Hz', 'SPECTRAL')]
	    for i, (name, value, unit, kind) in enumerate(axes):
	        s = g.create_dataset(name, data=value)
	        s.make_scale(name)
	        s.attrs.update(dict(name=name, units=unit, quantity=name, dimension_type=kind))
	        d.dims[i].attach_scale(s)
	        d.dims[i].label = name
	    d.attrs.update(dict(data_type='SPECTRAL_IMAGE', main_data_name='be', quantity='Deflection', units='m', modality='BE', source='made',
	        pyNSID_version='0.0.7.2'))
	END
	hsload -q -f sweeps.h5 -o "$1"
}

# numbers FILE... STATEMENTS: Python about results of the newest step, result(0, 'r2') of the first file
numbers() {
	need_python h5py
	"$PYTHON" - "$@" <<- END || fails "${*: -1}"
	import h5py
	$BAND
	files = [h5py.File(name, 'r') for name in sys.argv[1:-1]]
	def step(i):
	    entry = files[i]['entry']
	    return entry[max(k for k in entry if k.startswith('process_'))]
	def result(i, name, what='data'): return step(i)[name][what][()]
	def data(i): return files[i]['entry/data/data'][()]
	exec(sys.argv[-1])
	END
}

same_results() {
	hscmp -t 0 --all "$1" "$2"
}

# -------------------------------------------------------------------- band excitation

@test "sho: the resonators that were put in, within their error bars" {
	spectra in.nxs 'np.tile(clean, (20, 1, 1)) + np.abs(clean).max() / 300 * (rng.normal(size=(100, 6, 60)) + 1j * rng.normal(size=(100, 6, 60)))'
	hsfit -m sho in.nxs --report report.json -o out.nxs
	check out.nxs
	jq -e '.models[0].status.converged == 600' report.json
	numbers out.nxs 'i, j = np.mgrid[:100, :6]
i %= 5
for name, true in [("amplitude", 1e-5 + 0 * i), ("frequency", 340e3 + 2e3 * i), ("quality", 60. + 10 * j), ("phase", 0.3 * j - 1),
    ("in_phase", 1e-5 * np.cos(0.3 * j - 1)), ("quadrature", 1e-5 * np.sin(0.3 * j - 1))]:
    off = (result(0, name) - true) / result(0, name, "data_errors")
    assert np.abs(off).max() < 5 and 0.9 < off.std() < 1.1, (name, off.std())
units = {name: step(0)[name]["data"].attrs["units"] for name in ["amplitude", "frequency", "quality", "phase"]}
assert units == {"amplitude": "1", "frequency": "Hz", "quality": "1", "phase": "rad"}, units'
}

@test "sho: SciPy, begun there, goes no lower; its error bars are the same" {
	need_python scipy
	spectra in.nxs
	hsfit -m sho in.nxs -o out.nxs
	numbers out.nxs in.nxs 'from scipy.optimize import least_squares
size = np.array([1e-5, 3.5e5, 100, 1])
for i, j in [(0, 0), (2, 3), (4, 5)]:
    z = data(1)[i, j]
    names = ["amplitude", "frequency", "quality", "phase"]
    def left(q):
        r = (sho(*(q * size)) - z) * 1e5
        return np.r_[r.real, r.imag]
    ours = np.array([result(0, n)[i, j] for n in names]) / size
    fit = least_squares(left, ours, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    cost = (left(ours)**2).sum()
    assert 2 * fit.cost > cost * (1 - 1e-9)
    bars = np.sqrt(np.diag(np.linalg.inv(fit.jac.T @ fit.jac)) * cost / (2 * len(f) - 4)) * size
    assert np.allclose(bars, [result(0, n, "data_errors")[i, j] for n in names], rtol=1e-4)
    assert np.isclose(result(0, "r2")[i, j], 1 - cost / (np.abs(z * 1e5)**2).sum(), rtol=1e-9)'
}

@test "complex values in every layout give the same numbers: double, big endian, frequency first, backwards, a pipe" {
	spectra in.nxs
	hsfit -m sho in.nxs -o out.nxs
	hsfit -m sho < in.nxs > pipe.nxs
	same_results out.nxs pipe.nxs
	spectra big.nxs 'z.astype(">c16")'
	spectra first.nxs 'np.ascontiguousarray(z.transpose(2, 0, 1))' "frequency=300000:1694.9152542372881:Hz,y,x"
	spectra back.nxs 'z[:, :, ::-1]' 'y,x,frequency=400000:-1694.9152542372881:Hz'
	local way
	for way in big first back; do
		hsfit -m sho $way.nxs -o $way.out.nxs
		hscmp -t 1e-9 --all out.nxs $way.out.nxs
	done
	spectra single.nxs 'z.astype("c8")'
	hsfit -m sho single.nxs -o single.out.nxs
	numbers out.nxs single.out.nxs 'assert np.allclose(result(0, "frequency"), result(1, "frequency"), rtol=1e-6)'
}

@test "sho: the same bytes for any number of threads" {
	spectra in.nxs 'np.tile(z, (9, 8, 1)) + 2e-5 * (rng.normal(size=(45, 48, 60)) + 1j * rng.normal(size=(45, 48, 60)))'
	local j
	for j in 1 2 3 8; do
		hsfit -q -j $j -m sho --covariance --robust in.nxs -o $j.nxs
		[ $j = 1 ] || same_results 1.nxs $j.nxs
	done
}

@test "sho: NaN in either part and masked pixels are skipped; flat, tiny and huge spectra have no start" {
	spectra in.nxs '(z.__setitem__((0, 0, 3), complex(np.nan, 1)), z.__setitem__((0, 1, 7), complex(1, np.inf)), z.__setitem__((1, 1), 0), z.__setitem__((1, 2), 2 - 1j), z.__setitem__((1, 3), z[1, 3] * 1e-300), z.__setitem__((1, 4), z[1, 4] * 1e290), z)[-1]'
	"$PYTHON" -c 'import numpy as np; m = np.zeros((5, 6)); m[4, 5] = 1; np.save("array.npy", m)'
	hsload -q -a y,x array.npy -o mask.nxs
	hsfit -m sho --mask mask.nxs in.nxs -o out.nxs
	check out.nxs
	numbers out.nxs 's = result(0, "status")
assert s[0, 0] == s[0, 1] == s[4, 5] == 6 and (s[1, 1:5] == 5).all() and (s == 0).sum() == 23, s
for name in ["amplitude", "frequency", "quality", "phase", "r2"]:
    assert np.array_equal(np.isnan(result(0, name)), s != 0)'
}

@test "sho: a resonance outside the band is not said to be found" {
	spectra in.nxs 'np.array([[sho(1, w, 100, 1) for w in (250e3, 290e3, 350e3, 410e3, 500e3)]])'
	hsfit -m sho in.nxs -o out.nxs
	numbers out.nxs 's = result(0, "status")[0]
assert s[2] == 0 and (s[[0, 1, 3, 4]] != 0).all(), s'
}

@test "few channels, --range, and a single spectrum" {
	spectra one.nxs 'z[2, 2]' "frequency=300000:1694.9152542372881:Hz"
	hsfit -m sho one.nxs -o one.out.nxs
	hsfit -m sho --range 330:360kHz one.nxs -o part.out.nxs
	numbers one.out.nxs part.out.nxs 'for i in range(2): assert abs(result(i, "frequency") - 344e3) < 200'
	spectra two.nxs 'z[:1, :, :2]' 'y,x,frequency=300000:1000:Hz'
	spectra single.nxs 'z[:1, :, :1]' 'y,x,frequency=300000:1000:Hz'
	hsfit -m sho two.nxs -o two.out.nxs
	hsfit -m sho single.nxs -o single.out.nxs
	numbers two.out.nxs single.out.nxs 'assert (result(1, "status") == 5).all() and np.isnan(result(1, "frequency")).all()'
}

# -------------------------------------------------------------------- sweeps

@test "band excitation -> responses as loops, whatever the phase of the drive -> coercive biases" {
	local phase
	for phase in 0.6 2.5 -1.57; do
		sweeps in.nxs "$phase"
		hsfit -q -m sho -f in.nxs -o sho.nxs
		hsfit -q -m loop -d loops -f sho.nxs -o loop.nxs
		check sho.nxs loop.nxs
		numbers sho.nxs loop.nxs 'assert result(0, "loops").shape == (4, 3, 32) and (result(1, "status") == 0).all()
true = np.where(rises, erf((bias - 2.2) / 1.5), erf((bias + 2.6) / 1.5)) * 1e-5
assert np.abs(result(0, "loops") - true).max() < 2e-7
assert np.abs(result(1, "coercive_positive") - 2.2).max() < 0.02 and np.abs(result(1, "coercive_negative") + 2.6).max() < 0.02
assert np.allclose(result(1, "imprint"), -0.2, atol=0.02) and np.allclose(result(1, "work"), 2e-5 * 4.8, rtol=0.01)
assert np.allclose(result(1, "switchable"), true[rises == False][np.argmin(np.abs(bias[rises == False]))] - true[0], rtol=0.02)
assert result(1, "work").shape == (4, 3) and step(1)["work"]["data"].attrs["units"] == "m*V" and step(1)["imprint"]["data"].attrs["units"] == "V"'
	done
}

@test "a loop beside a line: the evidence is for the loop, where there is one" {
	sweeps in.nxs 0
	hsfit -q -m sho in.nxs -o sho.nxs
	hsfit -q -m 'loop|line' -d in_phase sho.nxs -o out.nxs
	check out.nxs
	numbers out.nxs 'assert (result(0, "best_labels") == 0).all() and np.allclose(result(0, "weights")[0], 1)'
}

@test "measured loops: half of those that are no outliers have R2 above 0.97, by any number of threads" {
	[ -n "${HS_DATA:-}" ] && [ -e "$HS_DATA/nsid/BEPS_PTO_50x50.h5" ] || skip "no real files here (HS_DATA)"
	hsload -q "$HS_DATA/nsid/BEPS_PTO_50x50.h5" -o in.nxs
	hsfit -q -j 1 -m loop in.nxs --report report.json -o out.nxs
	hsfit -q -j 3 -m loop in.nxs -o again.nxs
	check out.nxs
	same_results out.nxs again.nxs
	numbers out.nxs in.nxs 'd = np.ptp(data(1).reshape(2500, 64), axis=1)
usual = d <= np.median(d) + 6 * np.median(np.abs(d - np.median(d)))
r2 = result(0, "r2").ravel()
assert usual.mean() > 0.65 and np.median(r2[usual]) >= 0.97, np.median(r2[usual])
v = files[1]["entry/data/Voltage_values"][()]
fit = result(0, "status").ravel() == 0
for name in ["coercive_positive", "coercive_negative"]:
    c = result(0, name).ravel()[fit]
    assert ((c > v.min() - 9) & (c < v.max() + 9)).all()'
	jq -e '.models[0].status | .no_start == 0 and .skipped == 0 and .converged + .on_bound + .max_iter + .singular + .stuck == 2500' report.json
}

# -------------------------------------------------------------------- used wrongly

@test "what does not go together is refused with one sentence, and nothing is written" {
	spectra in.nxs
	sweeps sweep.nxs
	hsfit -q -m sho sweep.nxs -o sho.nxs
	refuses 3 hsfit -m gaussian in.nxs -o no.nxs
	says 'complex'
	refuses 3 hsfit -m sho -d loops sho.nxs -o no.nxs
	says 'real'
	refuses 3 hsfit -m gaussian -d loops sho.nxs -o no.nxs
	says "does not turn"
	hsgen mixture -k 2 --size 4x4x30 -o plain.nxs
	refuses 3 hsfit -m loop plain.nxs -o no.nxs
	says 'does not turn'
	refuses 2 hsfit -m sho+line in.nxs -o no.nxs
	says 'complex'
	refuses 2 hsfit -m sho --fix quality=100 in.nxs -o no.nxs
	refuses 3 hspca in.nxs -o no.nxs
	says 'complex'
	[ ! -e no.nxs ]
	nothing_left
}
