#!/bin/sh
# Three people and a git repository behind a real sshd: the models travel with plain git push, clone and pull.
. "$(dirname "$0")/lib.sh"

skip_all() { echo "1..0 # SKIP $1"; exit 0; }
sshd=$(command -v sshd || ls /usr/sbin/sshd 2>/dev/null) || skip_all "no sshd here"
command -v ssh-keygen >/dev/null || skip_all "no ssh here"

# A server of our own, for us alone, on a port that is free.
mkdir -p "$T/ssh" /run/sshd 2>/dev/null
ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/host" && ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/user"
cp "$T/ssh/user.pub" "$T/ssh/authorized"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])') || skip_all "no Python here"
cat >"$T/ssh/config" <<C
Port $port
ListenAddress 127.0.0.1
HostKey $T/ssh/host
AuthorizedKeysFile $T/ssh/authorized
StrictModes no
UsePAM no
PidFile $T/ssh/pid
SetEnv PATH=$PATH HOME=$HOME
C
"$sshd" -f "$T/ssh/config" -E "$T/ssh/log" || skip_all "sshd does not start here: $(tail -n 1 "$T/ssh/log")"
trap 'kill "$(cat "$T/ssh/pid")" 2>/dev/null; chmod -R u+w "$T" 2>/dev/null; rm -rf "$T"' EXIT
GIT_SSH_COMMAND="ssh -q -i $T/ssh/user -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=$T/ssh/known -o BatchMode=yes"
export GIT_SSH_COMMAND
for i in 1 2 3 4 5 6 7 8 9 10; do
	$GIT_SSH_COMMAND -p "$port" 127.0.0.1 true 2>/dev/null && break
	[ $i = 10 ] && skip_all "sshd lets nobody in here: $(tail -n 1 "$T/ssh/log")"
	sleep 0.2
done
url=ssh://127.0.0.1:$port$T/central.git
packs() { ls "$T/central.git/varve/packs" 2>/dev/null | wc -l; }

varve init --global -q
git init -q --bare "$T/central.git"
new_repo "$T/ann" && git remote add origin "$url"
model m.safetensors seed=1; one=$(sum m.safetensors); git add . && git commit -q -m one
git push -q origin main 2>"$T/err"; ok "Ann pushes over ssh"
[ "$(packs)" = 1 ]; ok "the store lies in the bare repository"
git clone -q "$url" "$T/bob" && git clone -q "$url" "$T/cem"; ok "Bob and Cem clone"
same "$T/bob/m.safetensors" "$one" && same "$T/cem/m.safetensors" "$one"; ok "and have the model"
cd "$T/bob" && clean; ok "clean in the clone"

# Two feature branches, on other tensors each, and a third that is in the way.
cd "$T/bob" && git checkout -q -b bob && model m.safetensors seed=1 set=t1:2 && git commit -q -am bob && git push -q origin bob; ok "Bob's branch"
cd "$T/cem" && git checkout -q -b cem && model m.safetensors seed=1 set=t2:3 && git commit -q -am cem && git push -q origin cem; ok "Cem's branch"
cd "$T/ann" && git fetch -q && git merge -q -m b origin/bob >/dev/null 2>&1 && git merge -q -m c origin/cem >/dev/null 2>&1; ok "Ann merges both"
settled; model "$T/want" seed=1 set=t1:2 set=t2:3; want=$(sum "$T/want"); same m.safetensors "$want"; ok "one model out of two"
git push -q origin main; ok "and pushes it"
for who in bob cem; do
	cd "$T/$who" && git checkout -q main && git pull -q >/dev/null 2>&1; settled; same m.safetensors "$want" && clean; ok "$who pulls the merged model"
done
cd "$T/bob" && git checkout -q -b over && model m.safetensors seed=1 set=t1:9 set=t2:3 && git commit -q -am over && git push -q origin over
cd "$T/ann" && model m.safetensors seed=1 set=t1:7 set=t2:3 && git commit -q -am mine && git fetch -q
fails git merge -q origin/over; ok "what both changed is a conflict"
git merge --abort; settled; model "$T/want2" seed=1 set=t1:7 set=t2:3; same m.safetensors "$(sum "$T/want2")"; ok "which can be undone"
git reset -q --hard "HEAD~1"; settled; same m.safetensors "$want"; ok "Ann rolls back"
git checkout -q ":/^one"; settled; same m.safetensors "$one"; ok "to the first version"
git checkout -q main; settled

# Nothing is sent twice, nothing goes without the bytes.
before=$(packs); cd "$T/ann" && git branch same && git push -q origin same; [ "$(packs)" = "$before" ]; ok "a branch of known versions sends nothing"
mv "$T/central.git/varve" "$T/away"
git clone -q "$url" "$T/dan" 2>"$T/err"; head -c 8 "$T/dan/m.safetensors" | grep -q '^varve 1 '; ok "a clone of a server that lost its store has the manifest"
cd "$T/dan" && status_is=$(status_of varve checkout) && said 'objects are not'; ok "and says what is missing"
mv "$T/away" "$T/central.git/varve"
varve checkout -q && same m.safetensors "$want"; ok "varve checkout brings the model when it is back"

# What lay half sent is cleared away once it is old; what the server lost is sent again.
head -c 1000 /dev/zero >"$T/central.git/varve/incoming/x" && touch -d '40 days ago' "$T/central.git/varve/incoming/x"
head -c 1000 /dev/zero >"$T/central.git/varve/incoming/y" && (cd "$T/central.git" && varve gc -q) && [ ! -e "$T/central.git/varve/incoming/x" ] && [ -e "$T/central.git/varve/incoming/y" ]; ok "gc clears what was half sent"
cd "$T/ann" && rm -rf "$T/central.git/varve" && git branch again && git push -q origin again 2>"$T/err"; ok "a push after the server lost its store"
git clone -q "$url" "$T/eve" 2>"$T/err"; same "$T/eve/m.safetensors" "$want"; ok "brings all back"

# A repository that a group shares: all of them may write into its store, whatever their umask is.
git init -q --bare --shared=group "$T/shared.git" && (umask 077; cd "$T/ann" && git push -q "ssh://127.0.0.1:$port$T/shared.git" main 2>"$T/err"); ok "a push to a shared repository"
(cd "$T/shared.git/varve" && [ -n "$(find packs incoming -type d)" ] && [ -z "$(find . -type d ! -perm -g+rwx; find . -name lock ! -perm -g+rw; find . -name '*.pack' ! -perm -g+r)" ]); ok "is open to its group"
git init -q --bare "$T/own.git" && (cd "$T/ann" && git push -q "ssh://127.0.0.1:$port$T/own.git" main 2>"$T/err") && [ -z "$(find "$T/own.git/varve" -type d -perm -g+w)" ]; ok "another is not"

# Nowhere to put them: a host that varve cannot talk to.
echo "refs/heads/main $(git rev-parse main) refs/heads/main $(git hash-object /dev/null | tr '0-9a-f' 0)" >"$T/refs"
r=$(sh "$(git rev-parse --git-path hooks)/pre-push" web https://host/x.git <"$T/refs" >"$T/out" 2>&1; echo $?); [ "$r" != 0 ] && said 'remote.web.varve'; ok "no manifests where no bytes can go"
git config remote.web.varve none; sh "$(git rev-parse --git-path hooks)/pre-push" web https://host/x.git <"$T/refs" >"$T/out" 2>&1; ok "unless it is wanted"

# A server without varve: a push with models is refused before any ref moves; one without is not.
sed "s#^SetEnv.*#SetEnv PATH=/usr/bin:/bin HOME=$HOME#" "$T/ssh/config" >"$T/ssh/config2"; kill "$(cat "$T/ssh/pid")"; sleep 0.3
"$sshd" -f "$T/ssh/config2" -E "$T/ssh/log"; sleep 0.3
if [ -e /usr/bin/varve ]; then echo "# varve is installed here"; else
	cd "$T/ann" && git checkout -q main && model m.safetensors seed=5 && git commit -q -am five
	fails git push origin main; said 'no varve'; ok "a server without varve gets no manifests"
	[ "$(git -C "$T/central.git" rev-parse main)" = "$(git rev-parse main~1)" ]; ok "its branch did not move"
	# The objects may lie elsewhere.
	git config remote.origin.varve "$T/shared-store" && git push -q origin main; ok "remote.<name>.varve names another place"
	[ -d "$T/shared-store/packs" ]; ok "which has them"
	cd "$T/bob" && git checkout -q main && git config remote.origin.varve "$T/shared-store" && git pull -q >/dev/null 2>&1; settled
	model "$T/want5" seed=5; same m.safetensors "$(sum "$T/want5")"; ok "and Bob gets them from there"
fi
plan_end
