# Gives a user its keys, with the user's own rights. Arguments: BYTES NAME WHAT. stdin: the lines, of
# BYTES bytes; what was cut off on its way replaces nothing. WHAT is "add"; or "only", where no other
# key is to stay: the file that was there is kept beside it, for "back" to put it into its place again,
# or "proven" to remove it. A key that is there already, with other options, gives way.
set -e
umask 077
bytes=$1 name=$2 what=$3
account=$(getent passwd "$name")
home=$(printf '%s\n' "$account" | cut -d : -f 6)
uid=$(printf '%s\n' "$account" | cut -d : -f 3)
gid=$(printf '%s\n' "$account" | cut -d : -f 4)
cd "$home" || { echo "$name has no home; make it, run again" >&2 && exit 1; }
# Else sshd does not read them.
chmod go-w .
for path in .ssh .ssh/authorized_keys; do
    [ ! -e "$path" ] || [ -L "$path" ] || { chown -h "$uid:$gid" "$path" && chmod go-w "$path"; }
done
write='
set -e
file=.ssh/authorized_keys
old=$file.dockyard-old
new=.ssh/dockyard-new
wanted=.ssh/dockyard-wanted
case $1 in
back) mv -f "$old" "$file"; exit ;;
proven) rm -f "$old"; exit ;;
esac
mkdir -p .ssh
cat >"$wanted"
if [ "$(wc -c <"$wanted")" -ne "$2" ]; then
    rm -f "$wanted"
    echo "the keys were cut off on their way; no key was changed, run again" >&2
    exit 1
fi
{
    [ "$1" = only ] || [ ! -f "$file" ] || awk "
        NR == FNR { wanted[\$2]; next }
        { for (i = 1; i <= NF; i++) if (\$i in wanted) next; print }" \
        "$wanted" "$file"
    cat "$wanted"
} >"$new"
[ "$1" != only ] || [ ! -f "$file" ] || cp -p "$file" "$old"
mv -f "$new" "$file"
rm -f "$wanted"'
if [ "$uid" -eq 0 ]; then
    sh -c "$write" keys "$what" "$bytes"
elif command -v setpriv >/dev/null; then
    setpriv --reuid="$uid" --regid="$gid" --init-groups sh -c "$write" keys "$what" "$bytes"
else
    su -s /bin/sh "$name" -c "set -- $what $bytes; $write"
fi
! command -v restorecon >/dev/null || restorecon -R .ssh
