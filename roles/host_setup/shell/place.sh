# Puts a file of ours into its place, or a block of ours into somebody's file; what can't be used is
# taken back, and what stood there before stands. stdin: what it is to hold, of BYTES bytes.
# Arguments: BYTES PATH MODE WHERE CHECK APPLY. WHERE is "whole", or of a block "first" or "last".
# CHECK looks at the new file before it is in place, APPLY makes it count after: each is a text for a
# shell, which has the file's path as $1.
set -e
trap '' HUP PIPE
bytes=$1 path=$2 mode=$3 where=$4 check=$5 apply=$6
[ ! -d "$path" ] || {
    echo "$path is a directory, and a file belongs there; move it away, run again" >&2
    exit 1
}
umask 022
mkdir -p "${path%/*}"
new=${path%/*}/.${path##*/}.dockyard-new
old=${path%/*}/.${path##*/}.dockyard-old
trap 'rm -f "$new" "$new.block"' EXIT
umask 077
rm -f "$new" "$new.block" "$old"
cat >"$new"
[ "$(wc -c <"$new")" -eq "$bytes" ] || { echo "cut off" >&2 && exit 1; }
if [ "$where" != whole ]; then
    # All that follows would go with the block.
    [ ! -f "$path" ] || awk '
        /^# dockyard: begin$/ { if (open) exit; open = 1 }
        /^# dockyard: end$/ { open = 0 }
        END { exit open }' "$path" || {
        echo "$path has a line '# dockyard: begin' and no '# dockyard: end' after it;" \
            "put that line behind Dockyard's block there, run again" >&2
        exit 1
    }
    {
        echo '# dockyard: begin'
        cat "$new"
        echo '# dockyard: end'
    } >"$new.block"
    rest() { [ ! -f "$path" ] || sed '/^# dockyard: begin$/,/^# dockyard: end$/d' "$path"; }
    if [ "$where" = first ]; then
        { cat "$new.block" && rest; } >"$new"
    else
        { rest && cat "$new.block"; } >"$new"
    fi
fi
chown 0:0 "$new"
chmod "$mode" "$new"
[ -z "$check" ] || sh -c "$check" check "$new" >&2
[ ! -e "$path" ] || cp -p "$path" "$old"
mv -f "$new" "$path"
if [ -n "$apply" ] && ! sh -c "$apply" apply "$path" >&2; then
    if [ -e "$old" ]; then mv -f "$old" "$path"; else rm -f "$path"; fi
    exit 1
fi
rm -f "$old"
