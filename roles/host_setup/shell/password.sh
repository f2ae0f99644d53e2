# Lets no password in for a user. Argument: its name.
sshd=$(command -v sshd)
# Without PAM, sshd lets nobody in whose account is locked, by no key either.
if [ -n "$sshd" ] && "$sshd" -T 2>/dev/null | grep -qi '^usepam no'; then
    usermod -p '*' "$1"
else
    passwd -l "$1" >/dev/null
fi
