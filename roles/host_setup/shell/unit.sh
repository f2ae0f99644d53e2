# Enables a unit, starts it, and has it read its settings. Arguments: the names that it may have.
for unit; do
    ! systemctl show -p LoadState "$unit" | grep -q not-found || continue
    # Of an alias the unit itself: another is not enabled.
    unit=$(systemctl show -p Id "$unit")
    unit=${unit#Id=}
    systemctl unmask -q "$unit"
    systemctl enable -q "$unit" && systemctl restart "$unit" && exit
    systemctl status --no-pager -n 5 "$unit" >&2
    exit 1
done
echo "there is no $*" >&2
exit 1
