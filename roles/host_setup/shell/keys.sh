# Gives a user its keys, with the user's own rights. Arguments: NAME, and yes where no other key is to
# stay. stdin: the lines. A key that is there already, with other options, gives way.
set -e
umask 077
account=$(getent passwd "$1")
home=$(printf '%s\n' "$account" | cut -d : -f 6)
uid=$(printf '%s\n' "$account" | cut -d : -f 3)
gid=$(printf '%s\n' "$account" | cut -d : -f 4)
cd "$home" || { echo "$1 has no home; make it, run again" >&2 && exit 1; }
# Else sshd does not read them.
chmod go-w .
for path in .ssh .ssh/authorized_keys; do
    [ ! -e "$path" ] || [ -L "$path" ] || { chown -h "$uid:$gid" "$path" && chmod go-w "$path"; }
done
write='
set -e
mkdir -p .ssh
cat >.ssh/dockyard-wanted
{
    [ "$1" = yes ] || [ ! -f .ssh/authorized_keys ] || awk "
        NR == FNR { wanted[\$2]; next }
        { for (i = 1; i <= NF; i++) if (\$i in wanted) next; print }" \
        .ssh/dockyard-wanted .ssh/authorized_keys
    cat .ssh/dockyard-wanted
} >.ssh/dockyard-new
mv -f .ssh/dockyard-new .ssh/authorized_keys
rm -f .ssh/dockyard-wanted'
if [ "$uid" -eq 0 ]; then
    sh -c "$write" keys "$2"
elif command -v setpriv >/dev/null; then
    setpriv --reuid="$uid" --regid="$gid" --init-groups sh -c "$write" keys "$2"
else
    su -s /bin/sh "$1" -c "set -- $2; $write"
fi
! command -v restorecon >/dev/null || restorecon -R .ssh
