# hscmp: yes is 0, no is 1, and what cannot be compared is neither.
load lib/common

# array FILE DESCR SHAPE NUMBERS...: a NumPy file of these float64 numbers, loaded as y, x (or more axes) into FILE.nxs
numbers_as() {
	local file=$1 axes=$2 shape=$3
	shift 3
	"$PYTHON" -c 'if 1:
		import sys, numpy as np
		np.save("n.npy", np.array([float(v) for v in sys.argv[2:]]).reshape([int(n) for n in sys.argv[1].split(",")]))' "$shape" "$@"
	hsload -q -a "$axes" n.npy -f -o "$file"
}

@test "a file is the same as itself, by name, by stream, by pipe" {
	hsgen mixture --size 16x12x40 -o a.nxs
	gives 0 hscmp a.nxs a.nxs
	says 'data: same as values, 12 x 16 x 40: largest difference 0'
	gives 0 hscmp -t 0 a.nxs a.nxs
	gives 0 hscmp --all -t 0 a.nxs a.nxs
	[ "${#lines[@]}" = 5 ] || fails "expected data, mean spectrum, sum image, endmembers, abundances: $output"
	gives 0 sh -c 'hscmp - a.nxs < a.nxs'
	gives 0 sh -c 'cat a.nxs | hscmp a.nxs -'
	gives 0 sh -c 'hsgen mixture --size 16x12x40 | hscmp - a.nxs'
	refuses 2 hscmp - -
	says 'one of the two'
}

@test "the tolerance is relative to the largest value, the place is said" {
	need_python && need jq
	numbers_as a.nxs y,x,energy 2,2,3 0 1 2 3 4 5 6 7 8 9 10 -100
	numbers_as b.nxs y,x,energy 2,2,3 0 1 2 3 4 5 6 7.5 8 9 10 -100
	gives 1 hscmp a.nxs b.nxs
	says 'largest difference 0.5, 0.005 of the largest value, at [1, 0, 1]'
	hscmp --json a.nxs b.nxs | jq -e '.same == false and .max_abs_difference == 0.5 and .max_relative_difference == 0.005 and
		.at == [1, 0, 1] and .largest_magnitude == 100 and (.rms - (0.25 / 12 | sqrt) | fabs) < 1e-15 and .shape == [2, 2, 3]'
	gives 0 hscmp -t 0.005 a.nxs b.nxs
	gives 1 hscmp -t 0.00499 a.nxs b.nxs
	gives 1 hscmp -t 0.00499 b.nxs a.nxs
}

@test "NaN equals NaN in its place only; infinities equal themselves" {
	need_python
	numbers_as a.nxs y,x 2,2 1 nan inf -inf
	numbers_as b.nxs y,x 2,2 nan 1 inf -inf
	numbers_as c.nxs y,x 2,2 1 nan -inf -inf
	gives 0 hscmp -t 0 a.nxs a.nxs
	gives 1 hscmp -t 1 a.nxs b.nxs
	says '2 values are numbers in one only'
	gives 1 hscmp -t 1 a.nxs c.nxs
	says '1 values are numbers in one only'
}

@test "tolerance 0 is the same bits: not -0, not another type" {
	need_python
	numbers_as a.nxs y,x 2,2 0 1 2 3
	numbers_as b.nxs y,x 2,2 -0.0 1 2 3
	gives 0 hscmp a.nxs b.nxs
	gives 1 hscmp -t 0 a.nxs b.nxs
	says 'not the same bits'
	hsgen gradient --value 8 --size 2x2x2 --dtype uint16 -o short.nxs
	hsgen gradient --value 8 --size 2x2x2 --dtype uint32 -o long.nxs
	gives 0 hscmp short.nxs long.nxs
	gives 1 hscmp -t 0 short.nxs long.nxs
	says 'uint16 against uint32'
	# two 64-bit integers that are the same double
	"$PYTHON" -c 'if 1:
		import numpy as np
		for name, last in ("p", 0), ("q", 1):
			np.save(name + ".npy", np.full((2, 3), 2**60 + last, dtype="<i8"))'
	hsload -q -a y,x p.npy -o p.nxs
	hsload -q -a y,x q.npy -o q.nxs
	gives 0 hscmp p.nxs q.nxs
	gives 1 hscmp -t 0 p.nxs q.nxs
	says '6 values are not the same bits'
}

@test "axes count, unless --ignore-axes" {
	hsgen mixture --size 8x6x100 --noise none --counts 1 -o a.nxs
	hsgen eels -k 1 --size 8x6x100 --noise none --counts 1 -o b.nxs
	gives 1 hscmp -t 1 a.nxs b.nxs
	says 'axis energy differs'
	gives 0 hscmp -t 1 --ignore-axes a.nxs b.nxs
}

@test "shapes that differ: status 3, with both shapes" {
	hsgen mixture --size 8x6x20 -o a.nxs
	hsgen mixture --size 8x6x21 -o b.nxs
	refuses 3 hscmp a.nxs b.nxs
	says 'data is 6 x 8 x 20, data is 6 x 8 x 21'
	refuses 3 hscmp -d sum_image --with data a.nxs b.nxs
	refuses 3 hscmp --as spectra -d true_endmembers a.nxs b.nxs
	refuses 3 hscmp --as labels a.nxs b.nxs
	# among all of them it is a difference like others
	gives 1 hscmp --all a.nxs b.nxs
	says 'data: different, cannot compare'
	gives 0 hscmp -d true_abundances a.nxs b.nxs
}

@test "spectra are paired whatever their order and length" {
	need_python && need jq
	numbers_as a.nxs component,energy 3,4 1 0 0 0 0 1 0 0 0 0 1 0
	numbers_as b.nxs component,energy 3,4 0 0 5 0 2 0 0 0 0 3 0.03 0
	gives 1 hscmp --ignore-axes a.nxs b.nxs
	gives 0 hscmp --as spectra --ignore-axes a.nxs b.nxs
	hscmp --as spectra --ignore-axes --json a.nxs b.nxs | jq -e '.partner == [2, 3, 1] and (.largest_angle_rad - (0.01 | atan) | fabs) < 1e-12'
	gives 1 hscmp --as spectra --ignore-axes -t 0.5deg a.nxs b.nxs
	gives 0 hscmp --as spectra --ignore-axes -t 0.0101rad a.nxs b.nxs
	gives 0 hscmp --as spectra --ignore-axes -t 0.0101 a.nxs b.nxs
	numbers_as c.nxs component,energy 3,4 0 0 -5 0 2 0 0 0 0 3 0 0
	gives 1 hscmp --as spectra --ignore-axes a.nxs c.nxs
	gives 0 hscmp --as spectra --sign-blind --ignore-axes a.nxs c.nxs
}

@test "a spectrum without partner is a difference; B may have more" {
	need_python
	numbers_as two.nxs component,energy 2,3 1 0 0 0 1 0
	numbers_as three.nxs component,energy 3,3 0 0 1 0 1 0 1 0 0
	gives 0 hscmp --as spectra two.nxs three.nxs
	gives 1 hscmp --as spectra three.nxs two.nxs
	says 'has no partner'
	gives 0 hscmp --as bases two.nxs three.nxs
	gives 0 hscmp --as bases three.nxs two.nxs
}

@test "bases: what is spanned, not by what" {
	need_python && need jq
	numbers_as a.nxs component,energy 2,3 1 0 0 0 1 0
	numbers_as b.nxs component,energy 2,3 1 1 0 1 -1 0
	numbers_as c.nxs component,energy 2,3 1 0 0 0 1 0.1
	gives 1 hscmp --as spectra a.nxs b.nxs
	gives 0 hscmp --as bases -t 1e-12 a.nxs b.nxs
	hscmp --as bases --json a.nxs c.nxs | jq -e '(.largest_angle_rad - (0.1 | atan) | fabs) < 1e-12 and .same == false'
	gives 0 hscmp --as bases -t 6deg a.nxs c.nxs
}

@test "labels: partitions, whatever the numbers; auto knows them by name" {
	need_python && need jq
	hsgen clusters -k 3 --size 12x10x8 -o a.nxs
	gives 0 hscmp -d true_labels a.nxs a.nxs
	says 'adjusted Rand index 1'
	numbers_as p.nxs y,x 2,4 0 0 1 1 2 2 2 -1
	numbers_as q.nxs y,x 2,4 7 7 0 0 5 5 5 3
	gives 1 hscmp p.nxs q.nxs
	gives 0 hscmp --as labels -t 0 p.nxs q.nxs
	says '1 pixels have a label in one only'
	# sklearn.metrics.adjusted_rand_score([0, 0, 1, 1], [0, 0, 1, 2]) = 0.5714285714285714
	numbers_as r.nxs y,x 2,2 0 0 1 1
	numbers_as s.nxs y,x 2,2 0 0 1 2
	hscmp --as labels --json r.nxs s.nxs | jq -e '(.adjusted_rand_index - 4 / 7 | fabs) < 1e-12 and .agreement == 0.75 and .same == false'
	numbers_as t.nxs y,x 2,2 0 0.5 1 2
	refuses 3 hscmp --as labels r.nxs t.nxs
	says '0.5 is not a label'
}

@test "maps are paired by correlation; --match compares the values of partners" {
	need_python && need jq
	# (component, y, x): B is A with its maps exchanged and one scaled
	numbers_as a.nxs component,y,x 2,2,3 1 2 3 4 5 6 3 1 4 1 5 9
	numbers_as b.nxs component,y,x 2,2,3 6 2 8 2 10 18 1 2 3 4 5 6
	numbers_as c.nxs component,y,x 2,2,3 3 1 4 1 5 9 1 2 3 4 5 6
	numbers_as d.nxs component,y,x 2,2,3 3 1 4 1 5 9 -1 -2 -3 -4 -5 -6
	gives 1 hscmp a.nxs c.nxs
	gives 0 hscmp --match a.nxs c.nxs
	gives 1 hscmp --match a.nxs b.nxs
	says 'largest difference 9, 0.5 of the largest value, at [1, 1, 2]'
	gives 0 hscmp --as maps -t 1e-12 a.nxs b.nxs
	hscmp --as maps --json a.nxs b.nxs | jq -e '.partner == [2, 1] and (.least_correlation - 1 | fabs) < 1e-14'
	gives 1 hscmp --match a.nxs d.nxs
	gives 0 hscmp --match --sign-blind -t 0 a.nxs d.nxs
	gives 0 hscmp --as maps --sign-blind a.nxs d.nxs
	refuses 2 hscmp --match --as spectra a.nxs b.nxs
}

@test "correlation as numpy has it" {
	need_python && need jq
	hsgen mixture -k 3 --size 15x11x20 -o a.nxs
	hsgen nopure -k 3 --size 15x11x20 -o b.nxs
	hscmp --as maps -d true_abundances --json a.nxs b.nxs | jq -e .correlation > found.json
	"$PYTHON" -c 'if 1:
		import h5py, json, numpy as np
		a, b = (h5py.File(n)["entry/process_01_hsgen/true_abundances/data"][...].reshape(3, -1) for n in ("a.nxs", "b.nxs"))
		assert np.abs(np.corrcoef(a, b)[[0, 1, 2], [3, 4, 5]] - json.load(open("found.json"))).max() < 1e-12'
}

@test "maps: rows without a number are left out, flat maps are alike, a map without partner is a difference" {
	need_python && need jq
	numbers_as a.nxs component,y,x 2,2,3 1 2 3 4 5 nan 7 7 7 7 7 7
	numbers_as b.nxs component,y,x 2,2,3 4 4 4 4 4 4 1 2 3 4 5 6
	numbers_as one.nxs component,y,x 1,2,3 1 2 3 4 5 6
	numbers_as none.nxs component,y,x 2,2,3 nan nan nan nan nan nan nan nan nan nan nan nan
	hscmp --as maps --json a.nxs b.nxs | jq -e '.partner == [2, 1] and .correlation == [1, 1] and .same'
	gives 1 hscmp --as maps a.nxs one.nxs
	says '1 of 2 components have no partner'
	gives 1 hscmp --match a.nxs one.nxs
	gives 0 hscmp --match one.nxs b.nxs
	gives 1 hscmp --as maps a.nxs none.nxs
	says 'least correlation -1'
	gives 1 hscmp --match -t 1 a.nxs none.nxs
	says 'are numbers in one only'
}

@test "complex values: real and imaginary parts, and nothing but values" {
	need_python && need jq
	"$PYTHON" -c 'if 1:
		import numpy as np
		a = (np.arange(12) * (1 + 2j)).reshape(2, 2, 3)
		np.save("p.npy", a)
		a[1, 0, 2] += 0.5j
		np.save("q.npy", a)'
	hsload -q -a y,x,energy p.npy -o p.nxs
	hsload -q -a y,x,energy q.npy -o q.nxs
	gives 0 hscmp -t 0 p.nxs p.nxs
	hscmp --json p.nxs q.nxs | jq -e '.at == [1, 0, 2] and .max_abs_difference == 0.5 and .largest_magnitude == 22 and .same == false'
	refuses 3 hscmp --as spectra p.nxs q.nxs
	says 'is complex'
	hsgen constant --size 3x2x2 -o real.nxs
	refuses 3 hscmp p.nxs real.nxs
}

@test "stored in chunks or not, packed or not: the same values" {
	hsgen mixture --size 61x53x301 -o packed.nxs
	hsgen mixture --size 61x53x301 --raw -o raw.nxs
	gives 0 hscmp --all -t 0 packed.nxs raw.nxs
	gives 0 hscmp --all -t 0 --memory 96M raw.nxs packed.nxs
	gives 0 hscmp --match -d true_abundances packed.nxs raw.nxs
}

@test "-q says nothing; --json is one object a line" {
	need jq
	hsgen mixture --size 8x6x20 -o a.nxs
	hsgen outliers --size 8x6x20 --outliers 0.5 -o b.nxs
	gives 1 hscmp -q --all a.nxs b.nxs
	[ -z "$output$stderr" ] || fails "said: $output$stderr"
	gives 1 hscmp --json --all a.nxs b.nxs
	local line
	while read -r line; do
		jq -e 'has("signal") and has("same")' <<< "$line" >/dev/null || fails "$line" || return 1
	done <<< "$output"
	[ "${#lines[@]}" = 5 ]
}

@test "bad input: status 3 and 4, and mistakes: status 2" {
	hsgen mixture --size 8x6x20 -o a.nxs
	head -c 5000 a.nxs > half.nxs
	refuses 3 hscmp a.nxs half.nxs
	says "'half.nxs'"
	refuses 3 hscmp half.nxs a.nxs
	refuses 4 hscmp a.nxs nowhere.nxs
	refuses 2 hscmp a.nxs
	refuses 2 hscmp -d nothing a.nxs a.nxs
	says 'no signal'
	refuses 2 hscmp --with nothing a.nxs a.nxs
	refuses 2 hscmp -t -1 a.nxs a.nxs
	refuses 2 hscmp -t 2deg a.nxs a.nxs
	refuses 2 hscmp -t 2nm --as spectra a.nxs a.nxs
	refuses 2 hscmp -t '' a.nxs a.nxs
	refuses 2 hscmp --as pictures a.nxs a.nxs
	refuses 3 hscmp --as maps -d mean_spectrum a.nxs a.nxs
	says 'no components'
	gives 4 sh -c 'hscmp a.nxs a.nxs > /dev/full'
}
