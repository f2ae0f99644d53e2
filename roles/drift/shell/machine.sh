# What the control machine is like, for the schedule: one `KEY VALUE` a line, nothing is changed.
# Arguments: account, directory, project, folder of the Python packages ("" for the system's own),
# pyinfra, inventory, folder of the textfile or "", hook or "", then the programs that are needed.
account=$1 directory=$2 project=$3 packages=$4 pyinfra=$5 inventory=$6 textfile=$7 hook=$8
shift 8

say() { printf '%s %s\n' "$1" "$2"; }

say user_id "$(id -u)"
[ -d /run/systemd/system ] && say init systemd
[ -d /etc/cron.d ] && say cron yes
for program; do
    command -v "$program" >/dev/null || say missing "$program"
done
[ -e "$directory" ] && say directory_owner "$(stat -c %U "$directory")"

# Until there is the account, nobody stands for it: who has no right but everybody's.
found=$(getent passwd "$account")
if [ -n "$found" ]; then
    say account_home "$(printf '%s\n' "$found" | cut -d: -f6)"
    uid=$(id -u "$account") gid=$(id -g "$account") groups=--init-groups
else
    uid=65534 gid=65534 groups=--clear-groups
fi
command -v setpriv >/dev/null && [ "$(id -u)" = 0 ] || exit 0

as_account() {
    env -i PATH="$PATH" LANG=C.UTF-8 HOME="$directory" \
        timeout 60 setpriv --reuid="$uid" --regid="$gid" "$groups" -- "$@"
}

[ -f "$project/inventories/known_hosts" ] && say known_hosts "$project/inventories/known_hosts"
[ -f ~root/.ssh/known_hosts ] && say known_hosts ~root/.ssh/known_hosts

if [ -n "$textfile" ]; then
    if [ ! -d "$textfile" ]; then
        say textfile absent
    elif ! as_account test -w "$textfile" || ! as_account test -x "$textfile"; then
        say textfile closed
    fi
fi
if [ -n "$hook" ]; then
    if [ ! -f "$hook" ]; then
        say hook absent
    elif ! as_account test -x "$hook"; then
        say hook closed
    fi
fi

cd / || exit 1
needed="$project/config.py $project/deploy $project/roles $project/group_data $project/files"
[ -n "$packages" ] && needed="$needed $packages/"
# Unquoted: a path of other signs is refused before.
unreadable=$(as_account find $needed -name __pycache__ -prune -o ! -readable -print -quit 2>&1)
if [ -n "$unreadable" ]; then
    say unreadable "$(printf '%s\n' "$unreadable" | head -n 1)"
elif [ ! -f "$inventory" ]; then
    say inventory absent
else
    load='cd "$1" && exec "$2" "$3" debug-inventory'
    said=$(as_account sh -c "$load" load "$project" "$pyinfra" "$inventory" 2>&1 </dev/null) ||
        say inventory "$(printf '%s\n' "$said" | grep -v '^ *$' | tail -n 4 | tr '\n' ' ')"
fi
exit 0
