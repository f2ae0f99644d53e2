# Sets live values. Arguments: a name and its value, and so on. What the kernel has not is passed over.
status=0
while [ $# -gt 1 ]; do
    file=/proc/sys/$(printf %s "$1" | tr . /)
    if [ -e "$file" ]; then
        { printf '%s\n' "$2" >"$file"; } 2>/dev/null
        # shellcheck disable=SC2046
        found=$(printf '%s ' $(cat "$file"))
        if [ "$found" != "$2 " ]; then
            echo "host_setup.sysctls: $1: the kernel refuses '$2', and has '${found% }'" >&2
            status=1
        fi
    fi
    shift 2
done
exit "$status"
