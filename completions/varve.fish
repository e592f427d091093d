# Completion of varve, and of git varve, for fish.

function __varve_command
    # The command on the line, if there is one already.
    set -l words (commandline -opc)
    set -e words[1]
    test "$words[1]" = varve; and set -e words[1]
    while test "$words[1]" = -C
        set -e words[1..2]
    end
    for w in $words
        string match -q -- '-*' $w; or begin
            echo $w
            return 0
        end
    end
    return 1
end

function __varve_is
    contains -- (__varve_command) $argv
end

function __varve_refs
    # After -- come files.
    contains -- -- (commandline -opc); and return
    echo HEAD
    git for-each-ref --format='%(refname:short)' refs/heads refs/tags refs/remotes 2>/dev/null
end

function __varve_kept
    git -c core.quotePath=false ls-files -- ':(attr:filter=varve)' 2>/dev/null
end

# A model: FILE, or REV:FILE once the revision and its colon are there.
function __varve_models
    __varve_kept
    set -l rev (string match -r '^[^:]+(?=:)' -- (commandline -ct))
    if test -n "$rev"
        git ls-tree -r --name-only --full-tree $rev 2>/dev/null | string replace -r '^' "$rev:"
    else
        __varve_refs | string replace -r '$' ':'
    end
end

function __varve_tensors
    for w in (commandline -opc)[3..-1] (__varve_kept)
        string match -q '*:*' -- $w; or set w :$w
        if git cat-file -e $w 2>/dev/null
            git show $w | string match -rg '^(?:tensor|view) "([^"]*)" '
            return
        end
    end
end

complete -c varve -f
complete -c varve -n 'not __varve_command' -s C -r -d 'Work as if started there'
for c in \
    "init:let varve keep models in this repository, or on this machine" \
    "track:keep files of this pattern as models, or a directory as one" \
    "untrack:stop keeping files of this pattern, or a directory" \
    "list:patterns and files that varve keeps" \
    "add:git add, the fast way for models" \
    "status:tensors changed, bytes new, what is not stored yet" \
    "checkout:put the models themselves where manifests stand" \
    "resolve:list and settle the conflicts of a merge, tensor by tensor" \
    "restore:bring back a model, or single tensors, from a version" \
    "revert:undo what a commit changed in a model, or in single tensors" \
    "show:layers, shapes, types, sizes and optimizer of a model" \
    "diff:what changed between versions, tensor by tensor" \
    "log:commits that changed a model or its tensors" \
    "blame:the commit that last changed each tensor" \
    "bisect:the commit that spoiled a model, by a command that tests it" \
    "cat:one tensor's values, as .npy or raw" \
    "convert:a model in another format, or its floats in another type" \
    "merge:one model out of several, by a method or a recipe" \
    "scan:what loading a model would do besides: is it safe?" \
    "archive:git archive with the models in it" \
    "du:what the store holds and what it costs" \
    "fsck:check every stored byte" \
    "gc:clear away what no version needs" \
    "doctor:explain and mend a half-set-up repository" \
    "serve-store:give a store to a varve at the other end of a connection" \
    "leave:go back to plain git, with the models in the worktree" \
    "version:the version of varve and its formats" \
    "help:this list, or the manual of a command"
    set -l pair (string split -m 1 : -- $c)
    complete -c varve -n 'not __varve_command' -a $pair[1] -d $pair[2]
    complete -c varve -n '__varve_is help' -a $pair[1] -d $pair[2]
end

complete -c varve -n __varve_command -l json -d 'One JSON value on standard output'
complete -c varve -n __varve_command -s q -l quiet -d 'No remarks, no progress'
complete -c varve -n __varve_command -s h -l help -d 'Show the options'
complete -c varve -n '__varve_is init' -s g -l global -d 'Once per machine'
complete -c varve -n '__varve_is serve-store' -l stdio -d 'Over standard input and output'
complete -c varve -n '__varve_is serve-store' -l read-only -d 'Take nothing'
complete -c varve -n '__varve_is leave' -s g -l global -d 'Also your own git configuration'
complete -c varve -n '__varve_is add' -s A -l all -d 'Also new and removed files of the whole tree'
complete -c varve -n '__varve_is add' -s u -l update -d 'Only files that git has already'
complete -c varve -n '__varve_is checkout' -s f -l force -d 'Replace changed files of directories'
complete -c varve -n '__varve_is restore' -s p -l path -x -d 'Only such files of a directory'
complete -c varve -n '__varve_is resolve' -l ours -d 'Take the tensors of our branch'
complete -c varve -n '__varve_is resolve' -l theirs -d 'Take those of theirs'
complete -c varve -n '__varve_is resolve' -l base -d 'Take those of the common version'
complete -c varve -n '__varve_is resolve' -s m -l method -x -a 'linear slerp nuslerp karcher multislerp task_arithmetic ties dare_linear dare_ties della della_linear breadcrumbs breadcrumbs_ties sce model_stock nearswap arcee_fusion ram ramplus_tl' -d 'Make new ones of both'
complete -c varve -n '__varve_is resolve' -l set -x -d 'A parameter of the method'
complete -c varve -n '__varve_is resolve restore revert log blame' -s t -l tensor -x -a '(__varve_tensors)' -d 'Only such tensors'
complete -c varve -n '__varve_is revert' -s m -l mainline -x -d 'Parent of a merge'
complete -c varve -n '__varve_is bisect' -a run -d 'Search with a command'
complete -c varve -n '__varve_is bisect' -l good -x -a '(__varve_refs)' -d 'A commit without the fault'
complete -c varve -n '__varve_is bisect' -l bad -x -a '(__varve_refs)' -d 'A commit with it'
complete -c varve -n '__varve_is bisect' -s f -l file -x -a '(__varve_kept)' -d 'Put this model in place'
complete -c varve -n '__varve_is bisect' -s t -l tensor -x -a '(__varve_tensors)' -d 'Only such tensors'
complete -c varve -n '__varve_is bisect' -l changes-only -d 'Only commits that change these'
complete -c varve -n '__varve_is show' -s a -l all -d 'Every layer'
complete -c varve -n '__varve_is show' -s g -l graph -d 'Operators in order'
complete -c varve -n '__varve_is show' -s p -l plot -r -d 'Draw layers and values as SVG'
complete -c varve -n '__varve_is show' -s d -l depth -x -d 'Levels of layers'
complete -c varve -n '__varve_is show log' -l one-file -d 'Only this file of several'
complete -c varve -n '__varve_is diff' -l stat -d 'A line for each file'
complete -c varve -n '__varve_is diff' -l order -x -a 'change file' -d 'What comes first'
complete -c varve -n '__varve_is diff' -s t -l tensor -x -d 'Only such tensors'
complete -c varve -n '__varve_is diff' -l layer -x -d 'Only tensors below such a layer'
complete -c varve -n '__varve_is diff' -l layers -d 'Layers instead of tensors'
complete -c varve -n '__varve_is diff' -l depth -x -d 'Levels of layers'
complete -c varve -n '__varve_is diff' -l exact -d 'Read the weights, all ranks'
complete -c varve -n '__varve_is diff' -l html -r -F -d 'A page with maps and histograms'
complete -c varve -n '__varve_is diff' -l markdown -r -F -d 'A text for a pull request'
complete -c varve -n '__varve_is diff' -l cached -d 'The index against a revision'
complete -c varve -n '__varve_is diff' -l staged -d 'The index against a revision'
complete -c varve -n '__varve_is diff' -l no-index -d 'Two files, wherever they are'
complete -c varve -n '__varve_is diff' -l exit-code -d '1 when something differs'
complete -c varve -n '__varve_is log' -s n -l max-count -x -d 'The newest only'
complete -c varve -n '__varve_is log' -l names -d 'Name the tensors'
complete -c varve -n '__varve_is cat' -s r -l raw -d 'The bytes alone'
complete -c varve -n '__varve_is cat archive convert' -s o -l output -r -F -d 'Into this file'
complete -c varve -n '__varve_is archive' -l prefix -x -d 'Put before every path'
complete -c varve -n '__varve_is archive' -l format -x -a tar -d 'Of the archive'
complete -c varve -n '__varve_is add' -s f -l force -d 'Ignored files too'
complete -c varve -n '__varve_is du' -s f -l files -d 'For each path, over all of history'
complete -c varve -n '__varve_is fsck' -s r -l repair -d 'Mend what has another copy'
complete -c varve -n '__varve_is gc' -s n -l dry-run -d 'Only say what would be done'
complete -c varve -n '__varve_is gc' -l grace -x -d 'Keep what is younger'
complete -c varve -n '__varve_is doctor' -s f -l fix -d 'Mend what can be mended'

complete -c varve -n '__varve_is add track' -F
complete -c varve -n '__varve_is status checkout resolve restore revert diff log blame' -a '(__varve_kept)'
complete -c varve -n '__varve_is restore revert diff log blame archive' -a '(__varve_refs)'
complete -c varve -n '__varve_is scan' -s s -l strict -d 'What is suspicious fails, too'
complete -c varve -n '__varve_is scan' -s a -l allow -r -d 'Globals that are known here'
complete -c varve -n '__varve_is scan' -l all -d 'Every file of a folder'
complete -c varve -n '__varve_is scan' -l sarif -d 'For code scanning'
complete -c varve -n '__varve_is convert' -s f -l format -r -a 'safetensors npz torch gguf onnx hdf5 msgpack' -d 'Its format'
complete -c varve -n '__varve_is convert' -s d -l dtype -r -a 'f32 f16 bf16 f8_e4m3 f8_e5m2 int8 q8_0' -d 'Floats as this type'
complete -c varve -n '__varve_is convert' -s t -l tensor -r -d 'Only such tensors'
complete -c varve -n '__varve_is convert' -s w -l with -r -d 'Made by this command'
complete -c varve -n '__varve_is convert' -s e -l env -x -d 'The record keeps this variable'
complete -c varve -n '__varve_is merge' -s o -l output -r -F -d 'Into this file or folder'
complete -c varve -n '__varve_is merge' -s m -l method -r -a 'linear slerp nuslerp karcher multislerp task_arithmetic ties dare_linear dare_ties della della_linear breadcrumbs breadcrumbs_ties sce model_stock nearswap arcee_fusion ram ramplus_tl passthrough' -d 'How'
complete -c varve -n '__varve_is merge' -s b -l base -r -a '(__varve_models)' -d 'What the models began as'
complete -c varve -n '__varve_is merge' -l weight -r -d 'Of each model'
complete -c varve -n '__varve_is merge' -l density -r -d 'Share of changes kept'
complete -c varve -n '__varve_is merge' -s t -l t -r -d 'How far from the first'
complete -c varve -n '__varve_is merge' -l lambda -r -d 'What changes are multiplied by'
complete -c varve -n '__varve_is merge' -l normalize -d 'Divide by the weights'
complete -c varve -n '__varve_is merge' -l set -r -d 'A parameter, name=value'
complete -c varve -n '__varve_is merge' -l seed -r -d 'Of what is left to chance'
complete -c varve -n '__varve_is merge' -s d -l dtype -r -a 'f32 f16 bf16 f64' -d 'Of the new weights'
complete -c varve -n '__varve_is merge' -l last -r -d 'The last versions of one file'
complete -c varve -n '__varve_is merge' -l ema -r -d 'Older ones weigh less'
complete -c varve -n '__varve_is merge' -l lora -r -F -d 'Add this adapter, ADAPTER:SCALE'
complete -c varve -n '__varve_is merge' -l extract-lora -r -d 'Make an adapter of this rank'
complete -c varve -n '__varve_is merge' -s n -l dry-run -d 'Only check'
complete -c varve -n '__varve_is merge' -l verify -r -F -d 'Is it what its record says?'
complete -c varve -n '__varve_is show cat convert merge scan' -a '(__varve_models)'
complete -c varve -n '__varve_is cat' -a '(__varve_tensors)'
complete -c git-varve -w varve
