# hsgen: what it writes is what it says it wrote.
load lib/common

scenes() {
	hsgen --list | cut -d' ' -f1
}

# jq on the line of a comparison: numbers FILTER hscmp-operands...
numbers() {
	local filter=$1
	shift
	hscmp --json "$@" | jq -e "$filter"
}

@test "every scene is a good file, on disk and through a pipe" {
	[ "$(scenes | wc -l)" = 10 ]
	local scene
	for scene in $(scenes); do
		gives 0 hsgen "$scene" --size 13x7x50 -o "$scene.nxs" || return 1
		[ -z "$stderr$output" ] || fails "$scene says: $stderr$output"
		gives 0 sh -c "hsgen $scene --size 13x7x50 > $scene.out"
		gives 0 sh -c "hsgen $scene --size 13x7x50 | cat > $scene.pipe"
		check "$scene.nxs" "$scene.out" "$scene.pipe" || return 1
		gives 0 hscmp --all --tolerance 0 "$scene.nxs" "$scene.pipe" || return 1
	done
	nothing_left
}

@test "the size is x by y by channels; the file is y, x, energy" {
	need jq
	hsgen mixture --size 13x7x50 -o a.nxs
	numbers '.shape == [7, 13, 50]' a.nxs a.nxs
	numbers '.shape == [4, 7, 13]' -d true_abundances a.nxs a.nxs
	numbers '.shape == [4, 50]' -d true_endmembers a.nxs a.nxs
	need_python
	"$PYTHON" -c 'if 1:
		import h5py
		d = h5py.File("a.nxs")["entry/data"]
		assert list(d.attrs["axes"]) == ["y", "x", "energy"] and d["data"].shape == (7, 13, 50)
		assert [d[a].attrs["units"] for a in d.attrs["axes"]] == ["nm", "nm", "eV"]'
}

@test "same seed: same values with 1, 2 and 7 threads; other seed: others" {
	local scene
	for scene in mixture nopure clusters peaks drift outliers eels compounds; do
		hsgen "$scene" --size 33x21x64 -j 1 -f -o one.nxs
		hsgen "$scene" --size 33x21x64 -j 2 -f -o two.nxs
		hsgen "$scene" --size 33x21x64 -j 7 -f -o seven.nxs
		hsgen "$scene" --size 33x21x64 --seed 2 -f -o other.nxs
		gives 0 hscmp --all --tolerance 0 one.nxs two.nxs || return 1
		gives 0 hscmp --all --tolerance 0 one.nxs seven.nxs || return 1
		gives 1 hscmp one.nxs other.nxs || return 1
	done
}

@test "scenes that differ in noise only share their truth" {
	hsgen mixture --size 20x20x32 -o poisson.nxs
	hsgen mixture --size 20x20x32 --noise gauss -o gauss.nxs
	gives 0 hscmp --tolerance 0 -d true_abundances poisson.nxs gauss.nxs
	gives 0 hscmp --tolerance 0 -d true_endmembers poisson.nxs gauss.nxs
	gives 1 hscmp poisson.nxs gauss.nxs
}

@test "abundances sum to one, are pure somewhere, and make the spectra" {
	need_python
	hsgen mixture -k 5 --size 40x30x64 --noise none --dtype float64 -o a.nxs
	"$PYTHON" -c 'if 1:
		import h5py, numpy as np
		e = h5py.File("a.nxs")["entry"]
		a, m, x = (e[p + "/data"][...] for p in ("process_01_hsgen/true_abundances", "process_01_hsgen/true_endmembers", "data"))
		assert a.shape == (5, 30, 40) and a.min() >= 0
		assert np.abs(a.sum(0) - 1).max() < 1e-14
		assert (a.max((1, 2)) == 1).all()
		assert np.abs(np.einsum("kyx,kc->yxc", a, m) - x).max() < 1e-12 * x.max()
		assert abs(m.sum(1).mean() - 20000) < 1e-6'
}

@test "nopure is as pure as --purity says" {
	need_python
	hsgen nopure -k 3 --purity 0.7 --size 40x30x16 -o a.nxs
	"$PYTHON" -c 'if 1:
		import h5py, numpy as np
		a = h5py.File("a.nxs")["entry/process_01_hsgen/true_abundances/data"][...]
		assert abs(a.max() - 0.7) < 1e-12 and np.abs(a.sum(0) - 1).max() < 1e-14'
	refuses 2 hsgen nopure -k 3 --purity 0.3 -o b.nxs
	says 'too low'
}

@test "Poisson noise: the variance is the mean" {
	need jq
	hsgen constant --value 25 --size 64x64x64 -o mean.nxs
	hsgen constant --value 25 --size 64x64x64 --noise poisson -o counts.nxs
	# 262144 values: the rms difference is 5, its relative standard error 1 / sqrt(2 n) = 0.0014; 5 of them
	hscmp --json counts.nxs mean.nxs | jq -e '(.rms / 5 - 1 | fabs) < 0.007'
	# and the mean of 4096 spectra is within 5 standard errors of a channel, 5 / 64 each
	hscmp --json -d mean_spectrum counts.nxs mean.nxs | jq -e '.max_abs_difference < 0.39 and .max_abs_difference > 0.1'
}

@test "gauss noise has the standard deviation of --sigma" {
	need jq
	hsgen mixture --size 64x64x64 --noise none -o mean.nxs
	hsgen mixture --size 64x64x64 --noise gauss --sigma 3 -o noisy.nxs
	hscmp --json noisy.nxs mean.nxs | jq -e '(.rms / 3 - 1 | fabs) < 0.007'
}

@test "twice the counts: half the relative noise squared" {
	need jq
	hsgen mixture --size 32x32x64 --noise none --counts 1000 -o a0.nxs
	hsgen mixture --size 32x32x64 --counts 1000 -o a.nxs
	hsgen mixture --size 32x32x64 --noise none --counts 4000 -o b0.nxs
	hsgen mixture --size 32x32x64 --counts 4000 -o b.nxs
	local a b
	a=$(hscmp --json a.nxs a0.nxs | jq .rms)
	b=$(hscmp --json b.nxs b0.nxs | jq .rms)
	jq -ne "($b / $a - 2 | fabs) < 0.02"
}

@test "outliers is mixture but for the outliers" {
	need_python
	hsgen mixture --size 30x30x40 -o clean.nxs
	hsgen outliers --outliers 0.05 --size 30x30x40 -o spoiled.nxs
	gives 0 hscmp --tolerance 0 -d true_abundances clean.nxs spoiled.nxs
	gives 1 hscmp clean.nxs spoiled.nxs
	"$PYTHON" -c 'if 1:
		import h5py
		clean = h5py.File("clean.nxs")["entry/data/data"][...]
		e = h5py.File("spoiled.nxs")["entry"]
		kind = e["process_01_hsgen/true_outliers/data"]
		assert kind.attrs["flag_meanings"] == "good spike hot"
		differs = (e["data/data"][...] != clean).any(2)
		assert (differs == (kind[...] > 0)).all()
		assert 20 < differs.sum() < 75   # binomial: 45 +- 6.5'
}

@test "clusters carry their labels, drift its map, peaks their parameters" {
	need jq
	hsgen clusters -k 3 --size 20x15x32 -o c.nxs
	numbers '.as == "labels" and .adjusted_rand_index == 1' -d true_labels c.nxs c.nxs
	numbers '.shape == [3, 32]' -d true_centroids c.nxs c.nxs
	hsgen drift --size 20x15x32 --drift 0 --noise none -o still.nxs
	hsgen mixture --size 20x15x32 --noise none -o m.nxs
	gives 0 hscmp still.nxs m.nxs
	hsgen drift --size 20x15x32 --drift 1.5 --noise none -o moves.nxs
	gives 1 hscmp --tolerance 0.05 still.nxs moves.nxs
	numbers '.shape == [15, 20] and .largest_magnitude <= 1.5 and .largest_magnitude > 0.5' -d true_drift moves.nxs moves.nxs
	hsgen peaks -k 2 --size 20x15x100 -o p.nxs
	local name
	for name in position width height; do
		numbers '.shape == [2, 15, 20]' -d $name p.nxs p.nxs
	done
	gives 1 sh -c 'hsgen peaks -k 2 --profile gauss --size 20x15x100 | hscmp -q - p.nxs'
}

@test "types: integers hold the counts, what does not fit is said" {
	need jq
	hsgen mixture --size 16x16x32 -o f.nxs
	local type
	for type in float64 uint16 uint32; do
		hsgen mixture --size 16x16x32 --dtype $type -o $type.nxs
		check $type.nxs
		numbers '.max_abs_difference == 0' f.nxs $type.nxs
		gives 1 hscmp -t 0 f.nxs $type.nxs
	done
	gives 0 hsgen constant --value 70000 --size 2x2x2 --dtype uint16 -o clipped.nxs
	says '8 values do not fit uint16'
	gives 0 hsgen constant --value -1 --size 2x2x2 --dtype uint32 -o below.nxs
	says '8 values do not fit uint32'
}

@test "one pixel, one channel, one line" {
	local scene
	for scene in mixture clusters peaks drift outliers eels compounds; do
		gives 0 hsgen "$scene" -k 1 --size 1x1x1 -f -o one.nxs || return 1
		check one.nxs || return 1
		gives 0 hsgen "$scene" -k 1 --size 50x1x3 -f -o line.nxs || return 1
		check line.nxs || return 1
	done
}

@test "a cube larger than --memory" {
	need /usr/bin/time
	# 512 MiB of float32, within 128 MiB
	/usr/bin/time -f %M -o peak hsgen constant --value 1 --size 256x256x2048 --memory 128M --raw -o big.nxs
	[ "$(wc -c < big.nxs)" -gt 536870912 ]
	[ "$(tail -1 peak)" -lt 131072 ] || fails "peak memory: $(cat peak) KiB"
	/usr/bin/time -f %M -o peak hscmp --memory 128M -t 0 big.nxs big.nxs
	[ "$(tail -1 peak)" -lt 131072 ] || fails "hscmp: peak memory: $(cat peak) KiB"
	rm big.nxs
	refuses 4 hsgen mixture --size 10000x10000x1 --memory 128M -o no.nxs
	says '--memory above'
}

@test "mistakes: status 2, one line, nothing written" {
	refuses 2 hsgen
	says 'no scene given'
	refuses 2 hsgen mixtures -o a.nxs
	says 'there are mixture, nopure'
	local size
	for size in 0x4x4 4x0x4 4x4x0 4x4 4x4x4x4 4x4x '' x axbxc -1x4x4 4.5x4x4 1099511627776x1099511627776x1 99999999999999999999x1x1 \
		16777216x16777216x16777216; do
		refuses 2 hsgen mixture --size "$size" -o a.nxs || return 1
	done
	refuses 2 hsgen mixture -k 5 --size 2x2x8 -o a.nxs
	says 'as many pixels'
	refuses 2 hsgen mixture -k 0 -o a.nxs
	refuses 2 hsgen mixture -k 65 -o a.nxs
	refuses 2 hsgen peaks -k 3 -o a.nxs
	refuses 2 hsgen constant -k 1 -o a.nxs
	refuses 2 hsgen mixture --counts -5 -o a.nxs
	refuses 2 hsgen mixture --noise pink -o a.nxs
	refuses 2 hsgen clusters --noise poisson --separation 1e5 -o a.nxs
	says 'too few'
	[ ! -e a.nxs ]
	nothing_left
}

@test "--dry-run says what would be made; the history says how it was" {
	need_python
	gives 0 hsgen mixture -k 3 --size 9x8x7 -n -o a.nxs
	says '9 x 8 pixels of 7 channels, 3 components'
	[ ! -e a.nxs ]
	hsgen mixture -k 3 --size 9x8x7 --seed 42 -o a.nxs
	"$PYTHON" -c 'if 1:
		import h5py
		p = h5py.File("a.nxs")["entry/process_01_hsgen"]
		assert p["program"][()].decode() == "hsgen"
		text = str({k: (v[()] if isinstance(v, h5py.Dataset) else {n: d[()] for n, d in v.items() if isinstance(d, h5py.Dataset)})
			for k, v in p.items()})
		assert "--seed 42" in text and "9x8x7" in text, text'
}
