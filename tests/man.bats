# The EXAMPLES of the man pages are run: lines "$ command" between .Bd and .Ed, joined where a line ends with a backslash.
load lib/common

# commands PAGE: one command a line
commands() {
	awk '
		/^\.Sh EXAMPLES/ { on = 1; next }
		/^\.Sh/ { on = 0 }
		on && /^\.Bd/ { block = 1; next }
		on && /^\.Ed/ { block = 0 }
		!on || !block { next }
		{
			gsub(/\\-/, "-"); gsub(/\\e/, "\\"); gsub(/\\\(aq/, "\047"); gsub(/\\\(dq/, "\""); gsub(/\\\(ti/, "~"); gsub(/\\&/, "")
			more = /\\$/
			sub(/\\$/, "")
			if (open) { line = line $0 }
			else if (sub(/^\$ /, "")) { line = $0; open = 1 }
			else next
			if (!more) { print line; open = 0 }
		}' "$1"
}

@test "every example of every page ends with status 0, one after the other in one folder" {
	local page command n=0
	for page in "$HOUSE"/man/*.1; do
		[ -e "$page" ] || skip "no pages"
		command -v "$(basename "$page" .1)" > /dev/null || { echo "# $(basename "$page" .1) is not built" >&3; continue; }
		mkdir "$(basename "$page")" && cd "$(basename "$page")"
		while IFS= read -r command; do
			n=$((n + 1))
			run --separate-stderr bash -o pipefail -c "$command" < /dev/null
			[ "$status" = 0 ] || fails "$(basename "$page"): \$ $command"$'\n'"status $status: $stderr"
		done < <(commands "$page")
		cd ..
	done
	[ ! -e failures ]
	[ "$n" -gt 0 ]
	echo "# $n examples" >&3
}

@test "every page of a tool has runnable examples, and the options that the tool describes" {
	local page tool
	for page in "$HOUSE"/man/*.1; do
		[ -e "$page" ] || skip "no pages"
		tool=$(basename "$page" .1)
		[ -n "$(commands "$page")" ] || fails "$tool: no line that begins with '$ ' among its EXAMPLES"
		[ -x "$HS_BUILD/$tool" ] || continue
		# the OPTIONS block is what --describe=mdoc says, whatever prose stands around it
		"$tool" --describe=mdoc | grep '^\.It' | sort > described
		grep '^\.It Fl' "$page" | sort > written
		comm -23 described written | grep . && fails "$tool: these options are not on the page as --describe=mdoc has them"
	done
	[ ! -e failures ]
}

@test "pages pass mandoc -T lint" {
	need mandoc
	local page
	for page in "$HOUSE"/man/*.[157]; do
		[ -e "$page" ] || skip "no pages"
		mandoc -T lint -W warning "$page" 2>&1 | grep -v 'referenced manual not found' | grep . && fails "$page"
	done
	[ ! -e failures ]
}
