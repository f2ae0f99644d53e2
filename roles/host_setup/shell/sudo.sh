# Sees that sudo takes a rule that is in its place. $1 is its file, which is called after the user.
visudo -c >&2 || exit 1
sudo -n -l -U "${1##*/}" 2>/dev/null | grep -q NOPASSWD && exit
echo "sudo does not read $1: /etc/sudoers needs the line '#includedir /etc/sudoers.d'" >&2
exit 1
