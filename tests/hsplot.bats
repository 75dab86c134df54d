# hsplot: what each kind of signal becomes, as PNG, SVG and text; numbers in exact maps; refusals.
load lib/common

# size FILE: width and height from a PNG's header, after its signature, or nothing.
size() {
	[ "$(od -An -tx1 -N8 "$1" | tr -d ' \n')" = 89504e470d0a1a0a ] || return 1
	od -An -tu1 -j16 -N8 "$1" | awk '{ print ($1 * 256 + $2) * 65536 + $3 * 256 + $4 "x" ($5 * 256 + $6) * 65536 + $7 * 256 + $8 }'
}

# whole FILE: each chunk's CRC and the end, by libpng in another program.
whole() {
	need_python PIL
	"$PYTHON" - "$1" <<- 'END'
		import sys
		from PIL import Image
		Image.open(sys.argv[1]).verify()
		image = Image.open(sys.argv[1])
		image.load()
		colours = image.convert("RGB").getcolors(1 << 24)
		assert len(colours) > 2, "an empty picture"
	END
}

scene() {
	need hsgen
	hsgen "$@" -o scene.nxs
}

# ours NAME PYTHON: writes NAME.nxs, a file of our convention, from `data` and `axes` = [(name, values, unit, kind)]; also
# `name`, `image`, `coords`, `mask`, `sigma`.
ours() {
	need_python h5py
	"$PYTHON" - "$1.nxs" "$2" <<- 'END'
		import sys
		import h5py
		import numpy as np
		name, image, coords, mask, sigma = "data", False, [], None, None
		nan = np.nan
		exec(sys.argv[2])
		with h5py.File(sys.argv[1], "w") as f:
		    f.attrs["hs_version"] = "1"
		    f.attrs["default"] = "entry"
		    e = f.create_group("entry")
		    e.attrs["default"] = name
		    e["title"] = "made by hand"
		    g = e.create_group(name)
		    g.attrs["NX_class"] = "NXdata"
		    g.attrs["interpretation"] = "image" if image else "spectrum"
		    g.attrs["axes"] = np.array([a[0] for a in axes], dtype=h5py.string_dtype())
		    d = g.create_dataset("data", data=data)
		    d.attrs["quantity"], d.attrs["units"] = "current", "nA"
		    for n, v, u, k in axes:
		        a = g.create_dataset(n, data=np.asarray(v))
		        a.attrs["units"], a.attrs["quantity"], a.attrs["dimension_type"] = u, n, k
		    for n, v, u, dims in coords:
		        g.create_dataset(n, data=v).attrs["units"] = u
		        g.attrs[n + "_indices"] = dims
		    if mask is not None:
		        g["pixel_mask"] = mask
		    if sigma is not None:
		        g["data_errors"] = sigma
	END
}

# grid NY NX: axes y and x, as text for ours.
grid() {
	echo "y, x = ('y', np.arange($1) * 2., 'nm', 'SPATIAL'), ('x', np.arange($2) * 2., 'nm', 'SPATIAL')"
}

# -------------------------------------------------------------------- the usual picture

@test "a cube: sum image and mean spectrum; the size asked for" {
	scene mixture -k 3 --size 20x10x32
	hsplot scene.nxs -o out.png
	whole out.png
	[ "$(size out.png | cut -dx -f1)" = 720 ]
	hsplot -s 800x500 scene.nxs -o sized.png
	[ "$(size sized.png)" = 800x500 ]
	hsplot -s 1500x900 --scale 2 scene.nxs -o fine.png
	[ "$(size fine.png)" = 1500x900 ]
	hsplot --scale 2 scene.nxs -o twice.png
	[ "$(size twice.png | cut -dx -f1)" = 1440 ]
	nothing_left
}

@test "sums: the quick looks of the file and the pass over the cube draw the same" {
	scene mixture -k 3 --size 20x10x32 --noise none
	hsplot --kind image --raw --grey16 --limits full scene.nxs > known.png
	hsplot --kind image --raw --grey16 --limits full -e 1:1000eV scene.nxs > summed.png
	need_python PIL
	"$PYTHON" - <<- 'END'
		import numpy as np
		from PIL import Image
		a, b = (np.array(Image.open(n), dtype=int) for n in ("known.png", "summed.png"))
		assert a.shape == (10, 20) and a.max() == 65535 and a.min() == 1
		assert abs(a - b).max() <= 1   # the stored one is float32
	END
}

@test "components: maps, their spectra and the scree plot in one figure" {
	scene mixture -k 3 --size 20x10x32
	need hspca
	hspca -q -k 4 scene.nxs -o pca.nxs
	hsplot pca.nxs -o all.png
	whole all.png
	[ "$(size all.png | cut -dx -f1)" = 1260 ]
	hsplot --kind maps pca.nxs -o maps.png
	[ "$(size maps.png | cut -dx -f1)" = 720 ]
	hsplot -c 2 pca.nxs -o one.png
	[ "$(size one.png | cut -dx -f1)" = 1260 ]
	hsplot -d loadings --stack pca.nxs -o loadings.png
	[ "$(size loadings.png | cut -dx -f1)" = 640 ]
	hsplot -d process_02_hspca/variance pca.nxs -o scree.png
	whole scree.png
	NO_COLOR=1 COLUMNS=60 gives 0 hsplot -t pca.nxs
	for word in "component 1" "component 4" loadings "explained variance"; do says "$word"; done
	NO_COLOR=1 COLUMNS=60 gives 0 hsplot -t -c 2-3 pca.nxs
	says "component 3"
	run -1 grep -x 'component [14]' <<< "$output"
}

@test "labels: shares in percent, centroids beside them in the same colours" {
	scene clusters -k 3 --size 20x10x32
	need hscluster
	hscluster -q -k 3 scene.nxs -o clusters.nxs
	hsplot clusters.nxs -o out.png
	whole out.png
	[ "$(size out.png | cut -dx -f1)" = 840 ]
	NO_COLOR=1 gives 0 hsplot -t clusters.nxs
	says "cluster 2"
	says "centroids"
	says %
	hsplot -d centroids --raw clusters.nxs -o no.png 2> said && return 1
	[ ! -e no.png ]
}

@test "how the number of clusters was chosen stands beside the labels, the choice marked" {
	hsgen clusters -k 3 --size 24x20x32 --separation 12 | hscluster --k-max 6 -o clusters.nxs
	hsplot --terminal clusters.nxs > all.txt
	hsplot --terminal -d choice clusters.nxs > choice.txt
	[[ "$(cat all.txt)" == *choice* && "$(cat choice.txt)" == *choice* ]]
	hsplot --svg -d choice clusters.nxs -o choice.svg && hsplot -k labels clusters.nxs -o labels.png && hsplot clusters.nxs -o all.png
	local all labels
	all=$(size all.png) labels=$(size labels.png)
	[ "${all%x*}" -gt "${labels%x*}" ]
	refuses 2 hsplot -k dendrogram clusters.nxs -o no.png
	says "holds no merges"
}

@test "a tree of merges stands beside the labels, and alone" {
	hsgen clusters -k 3 --size 24x20x32 --separation 12 | hscluster --method ward -k 3 -o tree.nxs
	hsplot --terminal tree.nxs > all.txt
	hsplot --terminal -d dendrogram tree.nxs > tree.txt
	[[ "$(cat all.txt)" == *dendrogram* && "$(cat tree.txt)" == *dendrogram* ]]
	hsplot tree.nxs -o all.png && hsplot -k dendrogram -d dendrogram tree.nxs -o tree.png
	whole all.png && whole tree.png
}

@test "a fit: maps of all parameters, how they ended in words, examples as dots and lines" {
	hsgen peaks -k 1 --size 16x12x64 -o scene.nxs
	hsfit -m lorentzian+constant --noise poisson scene.nxs -o fit.nxs
	gives 0 hsplot -n fit.nxs -o no.png
	says "(9 panels)"
	hsplot --terminal fit.nxs > fit.txt
	local word
	for word in 'fit (hsfit)' lorentzian_centre lorentzian_width lorentzian_height lorentzian_area constant_offset status converged 'worst: pixel' 'middle: pixel' 'best: pixel'; do
		grep -qF "$word" fit.txt || fails "no '$word' in the preview"
	done
	hsplot fit.nxs -o fit.png && whole fit.png
	# one parameter when it is chosen, or when something is asked that concerns one map
	gives 0 hsplot -n -d lorentzian_width fit.nxs -o no.png
	says "(1 panels)"
	gives 0 hsplot -n --limits 0:5 fit.nxs -o no.png
	says "(1 panels)"
	hsplot -t -d status fit.nxs > status.txt
	grep -q 'converged' status.txt
}

@test "a fit of alternatives, of a line and of one spectrum" {
	hsgen peaks -k 1 --size 16x12x64 -o scene.nxs
	hsfit -m 'lorentzian+constant | gaussian' scene.nxs -o models.nxs
	hsplot -t -d best_labels models.nxs > best.txt
	grep -q 'lorentzian+constant' best.txt
	gives 0 hsplot -n models.nxs -o no.png
	says "(15 panels)"
	ours line 'data = np.array([100 * np.exp(-((np.arange(40) - 15 - i) / 4) ** 2) + 3 + np.cos(np.arange(40) * (i + 1)) for i in range(6)])
axes = [("x", np.arange(6.), "nm", "SPACE"), ("energy", np.arange(40.), "eV", "SPECTRAL")]'
	hsfit -m gaussian+constant line.nxs -o line_fit.nxs
	hsplot -t line_fit.nxs > line.txt
	grep -q 'gaussian_centre' line.txt && grep -q 'best: pixel' line.txt
	ours one 'data = 100 * np.exp(-((np.arange(40) - 15) / 4) ** 2) + np.cos(np.arange(40))
axes = [("energy", np.arange(40.), "eV", "SPECTRAL")]'
	hsfit -m gaussian+constant one.nxs -o one_fit.nxs
	gives 0 hsplot -n one_fit.nxs -o no.png
	says "(1 panels)"
	hsplot one_fit.nxs -o one.png && whole one.png
}

@test "every shape has a picture: line, frames, 4-D, complex, points, one pixel, one channel, nothing but NaN" {
	local g energy='e = ("energy", np.linspace(280, 320, 9), "eV", "SPECTRAL")' point='p = ("point", np.arange(30), "1", "POINT_CLOUD")
coords = [("x", np.arange(30) % 7 * 1., "nm", [0]), ("y", np.arange(30) // 7 * 1., "nm", [0])]'
	g=$(grid 5 4)
	ours line "$g; $energy; axes = [x, e]; data = np.arange(36.).reshape(4, 9); mask = np.array([0, 1, 0, 0], 'u1')"
	ours spectrum "$energy; axes = [e]; data = np.arange(9.); sigma = np.ones(9)"
	ours frames "$g; axes = [('time', np.arange(3.), 's', 'TEMPORAL'), y, x]; data = np.arange(60, dtype='i2').reshape(3, 5, 4); image = True"
	ours many "$g; axes = [('time', np.arange(99.), 's', 'TEMPORAL'), y, x]; data = np.arange(1980.).reshape(99, 5, 4); image = True"
	ours four "$g; axes = [y, x, ('ky', np.arange(3.), '1/nm', 'RECIPROCAL'), ('kx', np.arange(6.), '1/nm', 'RECIPROCAL')]; image = True
data = np.arange(360, dtype='u2').reshape(5, 4, 3, 6)"
	ours five "$g; $energy; axes = [('time', np.arange(2.), 's', 'TEMPORAL'), y, x, e]; data = np.arange(360.).reshape(2, 5, 4, 9)"
	ours complex "$g; $energy; axes = [y, x, e]; data = (np.arange(180.) * (1 + 1j)).astype('c8').reshape(5, 4, 9); data[1, 2, 3] = nan"
	ours points "$point; $energy; axes = [p, e]; data = np.arange(270.).reshape(30, 9)"
	ours pointmap "$point; axes = [p]; data = np.arange(30.); data[3] = nan; name = 'map'"
	ours pointlabels "$point; axes = [p]; data = np.arange(30, dtype='i4') % 4 - 1; name = 'labels'"
	ours pixel "$energy; axes = [('y', [0.], 'nm', 'SPATIAL'), ('x', [0.], 'nm', 'SPATIAL'), e]; data = np.arange(9.).reshape(1, 1, 9)"
	ours channel "$g; axes = [y, x, ('energy', [5.], 'eV', 'SPECTRAL')]; data = np.arange(20.).reshape(5, 4, 1)"
	ours nans "$g; axes = [y, x]; data = np.full((5, 4), nan); image = True"
	ours constant "$g; axes = [y, x]; data = np.full((5, 4), 7, 'u1'); image = True"
	ours empty "$g; axes = [y, x]; data = -np.ones((5, 4), 'i4'); image = True; name = 'labels'"
	ours same "$g; axes = [y, x]; data = np.zeros((5, 4), 'i4'); image = True; name = 'labels'"
	ours number "axes = [('energy', [5.], 'eV', 'SPECTRAL')]; data = np.array([3.])"
	ours descending "$energy; axes = [('y', 9 - np.arange(5.)**1.5, 'nm', 'SPATIAL'), ('x', -np.arange(4.), 'nm', 'SPATIAL'),
('energy', e[1][::-1], 'eV', 'SPECTRAL')]; data = np.arange(180.).reshape(5, 4, 9); mask = np.arange(20, dtype='u1').reshape(5, 4) % 2"
	local file
	for file in *.nxs; do
		gives 0 hsplot "$file" -o "${file%.nxs}.png"
		[ -z "$stderr" ] || fails "$file: $stderr"
		whole "${file%.nxs}.png" || fails "$file"
		NO_COLOR=1 gives 0 hsplot -t "$file"
		[ -n "$output" ] || fails "$file: no preview"
		gives 0 hsplot --svg --log "$file" -o "${file%.nxs}.svg"
	done
	nothing_left
	[ "$(size five.png | cut -dx -f1)" = 720 ] && [ "$(size frames.png | cut -dx -f1)" = 1080 ]
}

@test "a long title is broken, not cut off the page; control characters and markup do no harm" {
	need xmllint
	scene mixture -k 2 --size 8x6x16
	local long
	long=$(printf 'a & b <i>%.0s ' {1..60})
	hsplot --title "$long"$'\x01\n' --svg scene.nxs > out.svg
	xmllint --noout out.svg
	hsplot --title "$long" -s 400x500 scene.nxs > out.png
	[ "$(size out.png)" = 400x500 ]
}

# -------------------------------------------------------------------- numbers

@test "--raw: one pixel a data pixel, values exact, first row at the bottom" {
	need_python PIL
	ours map "$(grid 7 5); axes = [y, x]; image = True; data = np.arange(35.).reshape(7, 5) * 3 - 20; data[2, 3] = nan"
	hsplot --raw --grey16 --limits full map.nxs -o grey.png
	hsplot --raw --limits=-20:82nA --colormap grey map.nxs -o colour.png
	ours turned "$(grid 7 5); axes = [('y', -y[1], 'nm', 'SPATIAL'), ('x', -x[1], 'nm', 'SPATIAL')]; image = True
data = (np.arange(35.).reshape(7, 5) * 3 - 20)"
	hsplot --raw --grey16 --limits full turned.nxs -o turned.png
	"$PYTHON" - <<- 'END'
		import numpy as np
		from PIL import Image
		data = np.arange(35.).reshape(7, 5) * 3 - 20
		missing = np.zeros((7, 5), bool)
		missing[2, 3] = True
		grey = np.array(Image.open("grey.png"), dtype=int)[::-1]
		assert grey.shape == (7, 5)
		assert (grey[missing] == 0).all()
		want = 1 + np.rint((data + 20) / 102 * 65534)
		assert (grey == want)[~missing].all(), (grey, want)
		colour = np.array(Image.open("colour.png"), dtype=int)[::-1]
		assert colour.shape == (7, 5, 3) and (colour[~missing][:, 0] == colour[~missing][:, 1]).all()
		level = colour[~missing][:, 0]
		assert (np.diff(level) > 0).all() and level[0] <= 2 and level[-1] >= 253
		turned = np.array(Image.open("turned.png"), dtype=int)
		assert (turned[:, ::-1] == want).all(), "both axes descend: the first value is top right"
	END
}

@test "--raw of a cube and of labels: the sum over a window; palette colours" {
	need_python PIL
	local g
	g=$(grid 3 4)
	ours cube "$g; axes = [y, x, ('energy', np.arange(280., 290), 'eV', 'SPECTRAL')]; data = (np.arange(120.).reshape(3, 4, 10) % 7)**2"
	hsplot --raw --grey16 --limits full -k image -e 282:285eV cube.nxs -o window.png
	hsplot --raw --grey16 --limits full -k image -e 0.282:0.285keV cube.nxs -o kilo.png
	hsplot --raw --grey16 --limits full -c 4 cube.nxs -o channel.png
	ours labels "$g; axes = [y, x]; data = (np.arange(12, dtype='i4') % 4 - 1).reshape(3, 4); image = True; name = 'labels'"
	hsplot --raw labels.nxs -o labels.png
	"$PYTHON" - <<- 'END'
		import numpy as np
		from PIL import Image
		data = (np.arange(120.).reshape(3, 4, 10) % 7)**2
		for file, want in (("window", data[:, :, 2:6].sum(2)), ("kilo", data[:, :, 2:6].sum(2)), ("channel", data[:, :, 3])):
		    got = np.array(Image.open(file + ".png"), dtype=int)[::-1]
		    want = 1 + np.rint((want - want.min()) / (want.max() - want.min()) * 65534)
		    assert (got == want).all(), (file, got, want)
		colour = np.array(Image.open("labels.png"))[::-1].reshape(12, 3)
		for k in range(4):
		    assert len({tuple(c) for c in colour[k::4]}) == 1
		assert len({tuple(c) for c in colour}) == 4
	END
}

@test "masked pixels have no value, by the file and by --mask" {
	need_python PIL
	local g
	g=$(grid 3 4)
	ours cube "$g; axes = [y, x, ('energy', np.arange(6.), 'eV', 'SPECTRAL')]; data = np.ones((3, 4, 6)) * np.arange(1, 13).reshape(3, 4, 1)
mask = np.zeros((3, 4), 'u1'); mask[1, 2] = 8"
	ours mask "$g; axes = [y, x]; data = np.zeros((3, 4), 'u1'); data[0, 0] = 1; image = True"
	hsplot -k image --raw --grey16 cube.nxs -o own.png
	hsplot -k image --raw --grey16 --mask mask.nxs cube.nxs -o both.png
	"$PYTHON" - <<- 'END'
		import numpy as np
		from PIL import Image
		own, both = (np.array(Image.open(n))[::-1] for n in ("own.png", "both.png"))
		assert np.argwhere(own == 0).tolist() == [[1, 2]]
		assert np.argwhere(both == 0).tolist() == [[0, 0], [1, 2]]
	END
}

@test "--at: spectra at places, in any unit of length" {
	scene mixture -k 3 --size 20x10x32
	NO_COLOR='' gives 0 hsplot -t --at 'x=3nm,y=5nm;x=0.008um,y=2' scene.nxs
	says "A: 3 nm, 5 nm"
	says "B: 8 nm, 2 nm"
	hsplot --at x=3nm,y=5nm scene.nxs -o at.png
	whole at.png
	refuses 2 hsplot --at x=3nm,y=50nm scene.nxs
	says outside
	refuses 2 hsplot --at x=3nm scene.nxs
	says "where along y"
	refuses 2 hsplot --at x=3nm,z=2 scene.nxs
	refuses 2 hsplot --at 3,4 scene.nxs
	refuses 2 hsplot --at x=3nm,y=5V scene.nxs
	refuses 2 hsplot --at x=3,y=5 -d mean_spectrum scene.nxs
}

# -------------------------------------------------------------------- where pictures go

@test "the same bytes every time, for any number of threads, to a file, a pipe and a redirection" {
	scene mixture -k 3 --size 20x10x32
	hsplot scene.nxs > a.png
	hsplot scene.nxs > b.png
	cmp a.png b.png
	hsplot scene.nxs | cat > c.png
	cmp a.png c.png
	hsplot -k image --raw -e 110:112eV -j 1 scene.nxs | tail -c +2000 > one
	hsplot -k image --raw -e 110:112eV -j 2 scene.nxs | tail -c +2000 > two
	cmp one two
	hsplot < scene.nxs > d.png
	hsgen mixture -k 3 --size 20x10x32 | hsplot > e.png
	[ "$(size d.png)" = "$(size a.png)" ] && [ "$(size e.png)" = "$(size a.png)" ]
	nothing_left
}

@test "PNG and SVG say what they were made of" {
	need xmllint
	scene mixture -k 2 --size 8x6x16
	hsplot -o out.png --title 'Größe' scene.nxs
	for word in 'hstools:command' "hsplot -o out.png" scene.nxs /entry/data 'Größe'; do
		grep -qaF -- "$word" out.png || fails "no '$word'"
	done
	hsplot --raw -k image scene.nxs | grep -qa 'hstools:signal'
	hsplot -o out.svg scene.nxs
	xmllint --noout out.svg
	[ "$(xmllint --xpath 'name(/*)' out.svg)" = svg ]
	xmllint --xpath 'string(//*[local-name()="desc"])' out.svg | grep -q '^hstools:command: hsplot -o out.svg scene.nxs'
}

@test "a terminal gets a preview; without colour no escape codes" {
	need_terminal
	scene clusters -k 3 --size 20x10x32
	script -qec "NO_COLOR=1 COLUMNS=50 hsplot scene.nxs" /dev/null < /dev/null > typed
	grep -q 'sum over energy' typed
	run -1 grep -q PNG typed
	run -1 grep -q $'\x1b' typed
	NO_COLOR=1 COLUMNS=50 hsplot -t scene.nxs > plain
	diff <(tr -d '\r' < typed) plain
	LC_ALL=C grep -q $'\xe2[\xa0-\xa3]' plain
	NO_COLOR='' COLUMNS=50 hsplot -t scene.nxs > coloured
	grep -q $'\x1b\[.*▀' coloured
	NO_COLOR=1 COLUMNS=50 hsplot -t -d true_labels scene.nxs > classes
	grep -q '^[123]\{50\}$' classes
	refuses 2 hsplot -t scene.nxs -o out.txt
	[ ! -e out.txt ]
}

@test "a file is not replaced unasked, and appears whole or not at all" {
	scene mixture -k 2 --size 8x6x16
	echo mine > out.png
	refuses 2 hsplot scene.nxs -o out.png
	says "-f replaces it"
	[ "$(cat out.png)" = mine ]
	hsplot -f scene.nxs -o out.png
	whole out.png
	gives 0 hsplot -n scene.nxs -o dry.png
	says "would draw /entry/data of scene.nxs (2 panels) and write dry.png"
	[ ! -e dry.png ]
	refuses 4 hsplot scene.nxs -o nowhere/out.png
	refuses 4 hsplot scene.nxs -o /dev/full
	refuses 4 sh -c 'exec hsplot scene.nxs > /dev/full'
	refuses 4 sh -c 'exec hsplot scene.nxs >&-'
	refuses 4 sh -c 'exec hsplot < scene.nxs >&-'
	refuses 4 sh -c 'exec hsplot -t scene.nxs > /dev/full'
	nothing_left
}

@test "a reader that leaves early ends it" {
	scene mixture -k 2 --size 8x6x16
	hsplot --scale 8 scene.nxs | head -c 10 > few
	[ "$(wc -c < few)" = 10 ]
	nothing_left
}

@test "asked wrongly: status 2, one line, no file" {
	scene mixture -k 2 --size 8x6x16
	local words
	while read -ra words; do
		refuses 2 hsplot "${words[@]}" scene.nxs -o out.png
		[ ! -e out.png ] || fails "${words[*]} wrote a picture"
	done <<- 'END'
		--kind round
		--kind scree
		--kind labels
		--kind curves
		--limits 5:3
		--limits 5
		--limits 1:2V
		--limits 0:5 --log
		-c 17 --kind maps
		-c 0 --kind maps
		-c 2-1 --kind maps
		-c 1, --kind maps
		-c 1 --kind image
		-e 1:2nm
		-e 9000:9001eV
		-e 110
		-s 800
		-s 8x8
		-s 800x
		-s 99999x600
		--scale 9
		--colormap rainbow
		--grey16
		--raw --svg
		--raw --kind maps
		--raw -s 200x200
		-d nothing
		-t
	END
	refuses 2 hsplot scene.nxs scene.nxs -o out.png
	refuses 2 hsplot scene.nxs -o out.jpg
	local bad
	for bad in 80x 800x600x3 wide 800 99999x99; do refuses 2 hsplot scene.nxs -s "$bad" -o out.png || return 1; done
	refuses 2 hsplot scene.nxs -s 64x64 -o out.png
	says "too small"
	nothing_left
}

@test "no file of ours: status 3; not there: 4" {
	echo "no such thing" > text
	: > nothing
	refuses 3 hsplot text -o out.png
	refuses 3 hsplot nothing -o out.png
	refuses 4 hsplot missing.nxs -o out.png
	scene mixture -k 2 --size 8x6x16
	head -c 5000 scene.nxs > cut.nxs
	refuses 3 hsplot cut.nxs -o out.png
	[ ! -e out.png ]
	nothing_left
}

@test "a picture larger than --memory is refused; a cube larger than it is summed" {
	need_python h5py
	ours wide "axes = [('y', np.arange(2048.), 'nm', 'SPATIAL'), ('x', np.arange(2048.), 'nm', 'SPATIAL')]; image = True
data = np.zeros((2048, 2048), 'u1')"
	refuses 4 hsplot --memory 80M wide.nxs -o out.png
	says --memory
	scene gradient --size 128x128x1024
	need hsload
	hsplot --memory 80M -e 100:400eV scene.nxs -o out.png
	whole out.png
}

@test "real files: maps and spectra of grids, cubes and images" {
	[ -n "${HS_DATA:-}" ] || skip "no HS_DATA"
	need hsload
	local file
	for file in 3ds/kpfm_bias_grid_20x20.3ds hspy/core_shell.hspy nsid/BEPS_PTO_50x50.h5 nsid/STO_test_image.hf5 emd/Si100_4D.emd; do
		hsload -q "$HS_DATA/$file" | hsplot > out.png
		whole out.png || fails "$file"
	done
}
