# Loads modules. Arguments: their names.
status=0
for module; do
    modprobe "$module" || { echo "host_setup.modules: $module can't be loaded" >&2 && status=1; }
done
exit "$status"
