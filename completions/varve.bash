# Completion of varve, and of git varve, for bash.

_varve_git() {
	git ${_varve_dir:+-C "$_varve_dir"} -c core.quotePath=false "$@" 2>/dev/null
}

_varve_refs() {
	echo HEAD
	_varve_git for-each-ref --format='%(refname:short)' refs/heads refs/tags refs/remotes
}

# Files that varve keeps: by their attribute, so that no model is read.
_varve_kept() {
	_varve_git ls-files -- ':(attr:filter=varve)'
}

# Names of tensors of a version, read from its manifest.
_varve_tensors() {
	_varve_git show "$1" | sed -n 's/^\(tensor\|view\) "\([^"]*\)" .*/\2/p'
}

# Lines of $1 that begin with $cur.
_varve_reply() {
	local IFS=$'\n'
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_varve_files() {
	compopt -o filenames 2>/dev/null
	local IFS=$'\n'
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

# A model: a file, or REV:FILE. bash takes the colon for a word of its own.
_varve_model() {
	if [[ $prev == : ]]; then
		_varve_reply "$(_varve_git ls-tree -r --name-only --full-tree "${COMP_WORDS[COMP_CWORD - 2]}")"
	elif [[ $cur == : ]]; then
		cur=
		_varve_reply "$(_varve_git ls-tree -r --name-only --full-tree "${COMP_WORDS[COMP_CWORD - 1]}")"
	else
		_varve_files_kept
		local IFS=$'\n'
		COMPREPLY+=($(compgen -W "$(_varve_refs)" -S : -- "$cur"))
		[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null
	fi
}

_varve_files_kept() {
	compopt -o filenames 2>/dev/null
	_varve_reply "$(_varve_kept)"
	[[ ${#COMPREPLY[@]} -gt 0 ]] || _varve_files
}

_varve_commands="init track untrack list add status checkout resolve restore revert show diff log blame bisect cat convert merge scan archive du fsck gc doctor
serve-store leave version help"

_varve_options() {
	case $1 in
	init | leave) echo --global ;;
	serve-store) echo --stdio --read-only ;;
	add) echo --all --update --force ;;
	resolve) echo --ours --theirs --base --method --set --tensor ;;
	restore) echo --tensor --path ;;
	revert) echo --tensor --mainline ;;
	blame) echo --tensor ;;
	bisect) echo --good --bad --file --tensor --changes-only ;;
	checkout) echo --force ;;
	show) echo --all --graph --plot --depth --one-file ;;
	diff) echo --stat --layers --depth --layer --tensor --order --exact --html --markdown --cached --staged --no-index --exit-code ;;
	log) echo --tensor --max-count --names --one-file ;;
	cat) echo --raw --output ;;
	convert) echo --output --format --dtype --tensor --with --env ;;
	scan) echo --strict --allow --all --sarif ;;
	merge) echo --output --method --base --weight --density --t --lambda --normalize --set --seed --dtype --last --ema --lora --extract-lora --dry-run --verify ;;
	archive) echo --prefix --output --format ;;
	du) echo --files ;;
	fsck) echo --repair ;;
	gc) echo --dry-run --grace ;;
	doctor) echo --fix ;;
	esac
	echo --json --quiet --help
}

_varve() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd='' _varve_dir='' i words=() dash=''
	COMPREPLY=()
	# The command, and the words after it that are no options.
	for ((i = ${1:-1}; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-C) [[ -n $cmd ]] || _varve_dir=${COMP_WORDS[++i]} ;;
		--) dash=1 ;;
		-t | --tensor | --set | -m | --method | -d | --depth | -n | --max-count | -o | --output | --prefix | --format | --grace)
			((i++)) ;;
		-*) ;;
		*) if [[ -z $cmd ]]; then cmd=${COMP_WORDS[i]}; else words+=("${COMP_WORDS[i]}"); fi ;;
		esac
	done
	if [[ $prev == -C && -z $cmd ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
	fi
	if [[ -z $cmd ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$_varve_commands --help --version -C" -- "$cur")
		return
	fi
	case $prev in
	-o | --output | --prefix)
		_varve_files
		return
		;;
	-t | --tensor)
		for i in "${words[@]}" $(_varve_kept | head -n 1); do
			_varve_git cat-file -e ":$i" && { _varve_reply "$(_varve_tensors ":$i")"; return; }
		done
		return
		;;
	--format)
		_varve_reply tar
		return
		;;
	-d | --depth | -n | --max-count | --grace) return ;;
	esac
	if [[ $cur == -* && -z $dash ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_varve_options "$cmd")" -- "$cur")
		return
	fi
	case $cmd in
	help) mapfile -t COMPREPLY < <(compgen -W "$_varve_commands" -- "$cur") ;;
	add | track) _varve_files ;;
	untrack) _varve_reply "$(sed -n 's/[[:space:]].*filter=varve.*//p' \
		"$(_varve_git rev-parse --show-toplevel)/.gitattributes" 2>/dev/null)" ;;
	status | checkout | resolve) _varve_files_kept ;;
	bisect) if [[ ${#words[@]} == 0 ]]; then _varve_reply run; else _varve_files; fi ;;
	restore | revert) if [[ ${#words[@]} == 0 ]]; then _varve_reply "$(_varve_refs)"; else _varve_files_kept; fi ;;
	diff | log | blame)
		if [[ -n $dash ]]; then
			_varve_files_kept
		else
			_varve_reply "$(_varve_refs; _varve_kept)"
		fi
		;;
	archive) _varve_reply "$(_varve_refs)" ;;
	show | convert | merge | scan) _varve_model ;;
	cat)
		case ${#words[@]}:${words[1]-} in
		0: | *:: | 1:) if [[ ${#words[@]} == 1 && $cur != : ]]; then
			_varve_reply "$(_varve_tensors ":${words[0]}")"
		else
			_varve_model
		fi ;;
		3::) _varve_reply "$(_varve_tensors "${words[0]}:${words[2]}")" ;;
		esac
		;;
	esac
}

# git's own completion calls this for `git varve`.
_git_varve() {
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == varve ]] && break
	done
	_varve $((i + 1))
}

complete -F _varve varve git-varve
