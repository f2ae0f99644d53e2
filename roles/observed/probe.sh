# Reads this host and changes nothing. Arguments: docker's time limit in seconds, then any of
# "path P", "file P" (its first line), "sum P" (its SHA-256), "newest P" (of the files P.HEX that with
# the greatest HEX, all its lines), "name N" (to be resolved),
# "disk P" (what P lies on), "source URL" (of packages; "distro": the package manager's own),
# "proxy HOST:PORT" (towards it), "networks all" (of the engine), "command docker" (is to answer, too);
# of the host itself "user N",
# "sysctl N", "module N", "unit N", "block P" (what we wrote into P), "hosts -", "zone -", "sudoers -",
# "sshd -".
# Sections start with "@@name"; what comes before the first or after "@@end" is not ours.
LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export LC_ALL PATH
docker_limit_s=$1
shift

section() { printf '\n@@%s\n' "$1"; }
bounded_by() { timeout -k 1 "$@" </dev/null; }
bounded() { bounded_by "$docker_limit_s" docker "$@"; }

# Sets `answer`, of an engine that answered before: it may hang all the same, and is then not asked
# again. What it warns of is no data.
hung=
ask() {
    answer=
    [ -z "$hung" ] || return 0
    answer=$(bounded "$@" 2>/dev/null)
    code=$?
    case $code in 124 | 137) hung=$code ;; esac
}

# First of all, and last: whoever begins to change the host in between has raised what this tells.
lease() {
    section "$1"
    now=$(date +%s)
    case $now in *[!0-9]*) now= ;; esac
    printf 'now=%s\n' "$now"
    record=/var/lib/dockyard/lease/record
    [ ! -r "$record" ] || sed -n '1,6s/^/|/p' "$record"
}
lease lease

# "NAME RELEASE MACHINE": of these the name alone can hold spaces.
told=$(uname -nrm)
architecture=${told##* }
told=${told% *}
kernel=${told##* }
host_name=${told% *}

has_overlay=
while read -r first second; do
    case "$first $second" in 'nodev overlay' | 'overlay ') has_overlay=yes ;; esac
done </proc/filesystems

section host
printf 'user_id=%s\n' "$(id -u)"
printf 'kernel=%s\n' "$kernel"
printf 'architecture=%s\n' "$architecture"
printf 'userland_bits=%s\n' "$(getconf LONG_BIT 2>/dev/null)"
printf 'init=%s\n' "$(if [ -d /run/systemd/system ]; then echo systemd; else cat /proc/1/comm; fi)"
printf 'overlay=%s\n' "$([ -n "$has_overlay" ] || modprobe -qn overlay >/dev/null 2>&1 && echo yes)"

# Hosts of the first decade have no os-release.
section os_release
if [ -f /etc/os-release ]; then
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in [A-Z]*=*) printf '%s\n' "$line" ;; esac
    done </etc/os-release
elif [ -f /etc/redhat-release ]; then
    awk 'NR == 1 && match($0, /[0-9]+(\.[0-9]+)*/) {
        printf "ID=%s\nVERSION_ID=%s\n", ($1 == "CentOS" ? "centos" : "rhel"), substr($0, RSTART, RLENGTH)
        print "ID_LIKE=\"rhel fedora\"" }' /etc/redhat-release
fi

section cgroup
controllers=
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    read -r controllers </sys/fs/cgroup/cgroup.controllers
    printf '2 %s\n' "$controllers"
elif [ -r /proc/cgroups ]; then
    while read -r controller _ _ enabled; do
        [ "$enabled" != 1 ] || controllers="$controllers$controller "
    done </proc/cgroups
    printf '1 %s\n' "$controllers"
fi

section addresses
ip -o -4 addr show
bounded_by 10 ip -o -6 addr show 2>/dev/null
# Of IPv6, "default" is written as what it is: the lines don't tell their family.
section routes
ip -o -4 route show table main
bounded_by 10 ip -o -6 route show table main 2>/dev/null | sed 's|^default |::/0 |'
section listeners
ss -ltnp 2>/dev/null | awk '$1 == "LISTEN"'

# What dpkg wants with a package and what it has come to ("ii", "hi", "iF"...); rpm knows no such.
section packages
{
    dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Version}\n' 2>/dev/null
    ! command -v rpm >/dev/null ||
        rpm -qa --qf 'ii|%{NAME}|%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' 2>/dev/null | sed 's/|0:/|/'
} | grep -E '^[^|]*\|(docker|containerd|runc|moby|podman-docker|lxc-docker)'
section excluded
for file in /etc/dnf/dnf.conf /etc/yum.conf; do
    [ ! -f "$file" ] || [ -L "$file" ] || awk '
        /^\[/ { main = ($1 == "[main]") }
        !/^[ \t]/ { list = main && /^(exclude|excludepkgs)[ \t]*=/ }
        list { sub(/^[^ \t][^=]*=/, ""); gsub(/,/, " "); print }' "$file"
done

section service
firewalld=
if [ -d /run/systemd/system ]; then
    units=$(bounded_by 10 systemctl show -p Id -p UnitFileState -p ActiveState \
        docker.service firewalld.service 2>/dev/null)
    unit=
    set -f
    IFS='
'
    for line in $units; do
        case $line:$unit in
        Id=*) unit=${line#*=} ;;
        UnitFileState=*:docker.service) printf 'enabled=%s\n' "${line#*=}" ;;
        ActiveState=*:docker.service) printf 'active=%s\n' "${line#*=}" ;;
        ActiveState=*:firewalld.service) firewalld=${line#*=} ;;
        esac
    done
    unset IFS
    set +f
elif [ -x /etc/init.d/docker ]; then
    for link in /etc/rc[2-5].d/S??docker; do
        [ ! -e "$link" ] || { echo enabled=enabled && break; }
    done
    ! bounded_by 10 service docker status >/dev/null 2>&1 || echo active=active
fi

# What makes a host fit for containers, and what Dockyard keeps there. Every line starts with a word or a sign of
# ours, whatever a file says. To start a program costs more than all that is read here: one reads all files, and the
# shell does what else it can. Some awks end at a file that they can't read: then each is read by itself.
of_files() {
    for word; do
        shift
        case $word in
        of=*) set -- "$@" "$word" ;;
        *) [ ! -f "$word" ] || [ ! -r "$word" ] || set -- "$@" "$word" ;;
        esac
    done
    told=$(of_each "$@") || told=$(for word; do
        case $word in of=*) of=$word ;; *) of_each "$of" "$word" ;; esac
    done)
    printf '%s\n' "$told"
}
of_each() {
    awk '
        function heading(name) { if (name != section) print "\n@@" name; section = name }
        function fitness(key, value) { if (value != "") { heading("fitness"); print key "=" value } }
        FNR == 1 { size = 0 }
        { size += length($0) + 1 }
        of == "status" && /^Seccomp:/ { seccomp = "yes" }
        of == "mounts" && $3 == "cgroup" { sub(/.*\//, "", $2); gsub(/,/, " ", $2); mounted = mounted $2 " " }
        of == "memory" && /^Mem(Total|Free|Available):/ { memory = memory $1 $2 " " }
        of == "ipv6" && $4 == "00" { ipv6 = $NF }
        of == "ufw" && tolower($0) ~ /^enabled=yes/ { ufw = "ufw" }
        of == "seen" && ($0 == "addrtype" || $0 == "nat" || $0 == "MASQUERADE") {
            heading("features")
            print "seen=" ($0 == "addrtype" ? "xt_addrtype" : "nf_nat")
        }
        of == "engine" && size <= 65536 { heading("daemon_json"); print "|" $0 }
        of == "drained" && FNR == 1 { heading("drained"); print "|" substr($0, 1, 4096) }
        # Of a record the head alone: the rest may be secret.
        (of == "record" || of == "current") && FNR == 1 { heading("releases"); print of "|" substr($0, 1, 4096) }
        of == "updated" && FNR == 1 { heading("updated"); print "|" $0 }
        END {
            fitness("seccomp", seccomp)
            fitness("mounted", mounted)
            fitness("memory", memory)
            fitness("ipv6", ipv6)
            fitness("firewall", ufw)
        }' "$@" </dev/null 2>/dev/null
}
section daemon_json
[ ! -f /etc/docker/daemon.json ] || echo present
of_files of=status /proc/self/status of=mounts /proc/self/mounts of=memory /proc/meminfo of=ipv6 /proc/net/if_inet6 \
    of=ufw /etc/ufw/ufw.conf \
    of=seen /proc/net/ip_tables_matches /proc/net/ip_tables_names /proc/net/ip_tables_targets \
    of=engine /etc/docker/daemon.json of=drained /var/lib/dockyard/drained \
    of=record /var/lib/dockyard/releases/*.json of=current /var/lib/dockyard/releases/current \
    of=updated /var/lib/dockyard/updated/*
section releases
[ ! -f /var/lib/dockyard/pin.json ] || printf 'pins|%s\n' "$(head -n 1 /var/lib/dockyard/pin.json)"

# sysctls BEFORE AFTER NAME... Not by the shell's own `read`: some take one byte at a time, and such a file
# gives but the first.
sysctls() {
    awk 'BEGIN {
        for (i = 3; i < ARGC; i++) {
            if (ARGV[i] !~ /^[A-Za-z0-9_.-]+$/ || ARGV[i] ~ /_key$|secret/) continue
            file = ARGV[i]
            gsub(/\./, "/", file)
            file = "/proc/sys/" file
            if ((getline value <file) > 0) print "sysctl" ARGV[1] ARGV[i] ARGV[2] value
            close(file)
        }
    }' "$@" 2>/dev/null
}
# Such a file may have no line's end.
of_sysfs() {
    line=
    [ ! -r "$1" ] || IFS= read -r line <"$1" || :
    printf '%s' "$line"
}
line_ends=$(printf '\n\r')
say() {
    case $2 in
    *[$line_ends]*) printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr '\n\r' '  ')" ;;
    *) printf '%s=%s\n' "$1" "$2" ;;
    esac
}

section fitness
say time "$(date +%s.%N)"
say namespaces "$(cd /proc/self/ns 2>/dev/null && echo *)"
sysctls . = net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables kernel.keys.root_maxkeys \
    kernel.keys.maxkeys user.max_user_namespaces kernel.unprivileged_userns_clone
say name "$host_name"
say addresses "$(timeout 3 getent ahosts "$host_name" | while read -r address _; do echo "$address"; done)"
say selinux "$(of_sysfs /sys/fs/selinux/enforce)"
say apparmor "$(of_sysfs /sys/module/apparmor/parameters/enabled)"
say apparmor_parser "$(command -v apparmor_parser)"
[ "$firewalld" != active ] || say firewall firewalld

# The kernel's own list of what it was built with, the running one's first.
kernel_config() {
    for file in /proc/config.gz "/boot/config-$kernel" "/lib/modules/$kernel/config" \
        "/lib/modules/$kernel/build/.config"; do
        case $file in
        *.gz) [ -r "$file" ] && gzip -dc "$file" 2>/dev/null && return ;;
        *) [ -r "$file" ] && cat "$file" && return ;;
        esac
    done
}

section kernel_config
options=$(kernel_config | grep -E '^CONFIG_(OVERLAY_FS|BRIDGE|BRIDGE_NETFILTER|VETH|(NF|IP_NF|NETFILTER_XT|NFT)_[A-Z_]*(NAT|NAT_IPV4|CONNTRACK|MASQUERADE|ADDRTYPE)|NF_TABLES|SECCOMP|SECCOMP_FILTER|KEYS|NAMESPACES|(NET|PID|IPC|UTS|USER)_NS|CGROUPS|CGROUP_(DEVICE|FREEZER|PIDS|SCHED)|CPUSETS|MEMCG|BLK_CGROUP|POSIX_MQUEUE)=')
printf '%s\n' "$options"

section features
[ ! -d "/lib/modules/$kernel" ] || echo modules=yes
[ -z "$has_overlay" ] || echo seen=overlay
[ ! -d /proc/sys/net/bridge ] || echo seen=br_netfilter
[ ! -d /proc/sys/net/netfilter ] || echo seen=nf_conntrack
# What is built in shows in none of these; the kernel's symbols tell, where its list does not. They
# are a hundred thousand.
[ -n "$options" ] || timeout 3 awk '
    $3 == "ovl_fill_super" { print "seen=overlay" }
    $3 == "br_handle_frame" { print "seen=bridge" }
    $3 == "veth_setup" { print "seen=veth" }
    $3 == "br_nf_pre_routing" { print "seen=br_netfilter" }
    $3 == "nf_nat_setup_info" { print "seen=nf_nat" }
    $3 == "nf_conntrack_in" { print "seen=nf_conntrack" }
    $3 == "addrtype_mt_v1" { print "seen=xt_addrtype" }
' /proc/kallsyms 2>/dev/null
for name in overlay bridge veth br_netfilter nf_nat iptable_nat nf_conntrack xt_addrtype ipt_addrtype; do
    if [ -d "/sys/module/$name" ]; then
        echo "seen=$name"
    elif [ -d "/lib/modules/$kernel" ] && modprobe -qn "$name" >/dev/null 2>&1; then
        echo "loadable=$name"
    fi
done

# What takes the engine's place, and is in no list of packages.
section conflicting
[ ! -e /snap/bin/docker ] || echo 'name=docker (snap)'

# What a path lies on: its nearest parent that exists.
disk() {
    place=$1
    while [ ! -e "$place" ] && [ "$place" != / ]; do
        place=${place%/*}
        place=${place:-/}
    done
    said=$(timeout 5 stat -f -c '%S %b %a %c %d|%T' -- "$place" 2>/dev/null)
    said=${said%%[$line_ends]*}
    ftype=
    [ "${said#*|}" != xfs ] || ftype=$(xfs_info "$(df -P -- "$place" | awk 'END { print $NF }')" 2>/dev/null |
        sed -n 's/.*ftype=\([01]\).*/\1/p' | head -n 1)
    printf 'disk|%s|%s|%s|%s\n' "$1" "$place" "$ftype" "$said"
}

# Where packages come from, as "http(s)://host:port", without what may be secret in an address. A
# host that only the package manager can tell (a variable's) is passed over.
place_of() { sed -n 's|^[^:]*\(https\{0,1\}://\)\([^/@ ]*@\)\{0,1\}\([A-Za-z0-9._-]\{1,\}\)\(:[0-9]*\)\{0,1\}\([/?#[:space:]].*\)\{0,1\}$|\1\3\4|p' | head -n 1; }
yum_urls() {
    awk '
        function tell() { if (url != "" && !off) print url; url = ""; off = 0 }
        /^\[/ { tell() }
        /^enabled[ \t]*=/ { off = (tolower($0) ~ /=[ \t]*(0|no|false|off)[ \t\r]*$/) }
        url == "" && /^(baseurl|metalink|mirrorlist)[ \t]*=[ \t]*http/ { url = $0; sub(/^[^=]*=[ \t]*/, "", url) }
        END { tell() }' /etc/yum.repos.d/*.repo 2>/dev/null
}
own_source() {
    {
        cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
            sed -n 's/^deb *\(\[[^]]*\]\)\{0,1\} *\(http\)/\2/p'
        cat /etc/apt/sources.list.d/*.sources 2>/dev/null | sed -n 's/^URIs: *\(http\)/\1/p'
        yum_urls
    } | place_of
}
own_proxy() {
    {
        apt-config dump 2>/dev/null | sed -n 's/^Acquire::https\{0,1\}::[Pp]roxy "\(http.*\)";/\1/p'
        cat /etc/dnf/dnf.conf /etc/yum.conf 2>/dev/null | sed -n 's/^proxy *= *\(http\)/\1/p'
        printf '%s\n' "$http_proxy" "$https_proxy"
    } | place_of
}
connects() {
    if command -v bash >/dev/null; then
        timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null && echo yes || echo no
    elif command -v nc >/dev/null; then
        timeout 4 nc -z -w 3 "$1" "$2" >/dev/null 2>&1 </dev/null && echo yes || echo no
    fi
}
reach() {
    url=$1
    proxy=$2
    [ "$url" != distro ] || url=$(own_source)
    [ -n "$url" ] || return 0
    say place "$url"
    [ -n "$proxy" ] || proxy=$(own_proxy)
    say proxy "${proxy#*://}"
    case $url in https:*) port=443 ;; *) port=80 ;; esac
    url=${proxy:-$url}
    url=${url#*://}
    case $url in *:*) port=${url##*:} ;; esac
    say resolves "$(timeout 3 getent ahosts "${url%%:*}" | awk '{ print $1; exit }')"
    say connects "$(connects "${url%%:*}" "$port")"
}

section disks
what= source= proxy= networks= command=
for word in "$@"; do
    case $what in
    '') what=$word && continue ;;
    disk) disk "$word" ;;
    source) source=$word ;;
    proxy) proxy=$word ;;
    networks) networks=$word ;;
    command) command=$word ;;
    esac
    what=
done

section source
[ -z "$source" ] || command -v dockerd >/dev/null || reach "$source" "$proxy"

# A name of both families is taken as IPv4's.
resolved() {
    for family in ahostsv4 ahostsv6; do
        found=$(timeout 3 getent "$family" "$1")
        case $?$found in 2) ;; *) break ;; esac # another end than "unknown" is the same for both
    done
    printf '%s' "${found%% *}"
}

# gather KIND WORD...: call all_KIND with the words of one kind; where there is none, it is not called.
gather() {
    kind=$1
    shift
    left=$#
    while [ "$left" -gt 1 ]; do
        word=$1 value=$2
        shift 2
        left=$((left - 2))
        [ "$word" != "$kind" ] || set -- "$@" "$value"
    done
    [ "$left" -eq 0 ] || shift
    [ $# -eq 0 ] || "all_$kind" "$@"
}
all_path() { stat -c 'path|%n|%F|%u:%g|%a' -- "$@" 2>/dev/null; }
all_sum() {
    for path; do
        shift
        [ ! -f "$path" ] || set -- "$@" "$path"
    done
    [ $# -eq 0 ] || sha256sum -- "$@" 2>/dev/null |
        sed -n 's/^\\\{0,1\}\([0-9a-f]\{64\}\)  \(.*\)$/sum|\2|\1/p'
}
first_line() { head -n 1 -- "$1" | head -c 1000; }
all_file() {
    for path; do
        [ -f "$path" ] && printf 'file|%s|%s\n' "$path" "$(first_line "$path")"
    done
}
all_newest() {
    for path; do
        version=$(greatest_of "$path")
        [ -z "$version" ] || printf 'newest|%s|%s|%s\n' "$path" "$version" \
            "$(head -c 20000 -- "$path.$version" | tr -s '\n|' '  ')"
    done
}
greatest_of() {
    for file in "$1".*; do printf '%s\n' "${file##*.}"; done | grep -Ex '[0-9a-f]{1,16}' |
        awk '{ printf "%02d %s\n", length($0), $0 }' | sort | tail -n 1 | cut -c 4-
}
all_name() {
    for name; do printf 'name|%s|%s\n' "$name" "$(resolved "$name")"; done
}

section asked
for kind in path file newest sum name; do gather "$kind" "$@"; done

# The host itself. Names and numbers of users; of the users that are named also how they are let in.
all_user() {
    asked=" $* "
    timeout 5 getent passwd "$@" | while IFS=: read -r name _ uid _ _ home shell; do
        case $asked in *" $name "*) ;; *) printf 'user|%s|%s|||\n' "$name" "$uid" && continue ;; esac
        printf 'user|%s|%s|%s|%s|%s\n' "$name" "$uid" "$home" "$shell" "$(awk -F : -v name="$name" '
            $1 == name { print ($2 ~ /^!/ ? "barred" : $2 ~ /^\*/ ? "locked" : "open") }' /etc/shadow 2>/dev/null)"
        # What a link leads to counts; a link's own mode is 777.
        stat -L -c "place|$name|%F|%u|%a|%n" -- "$home" "$home/.ssh" "$home/.ssh/authorized_keys" 2>/dev/null
        [ ! -f "$home/.ssh/authorized_keys" ] || awk -v name="$name" '
            !/^[ \t]*#/ && /(ssh-|ecdsa-)/ { print "key|" name "|" $0 }' "$home/.ssh/authorized_keys"
    done
}
all_sysctl() { sysctls '|' '|' "$@"; }
all_module() {
    for name; do
        case $name in *[!a-z0-9_]*) continue ;; esac
        [ -d "/sys/module/$name" ] ||
            tr - _ 2>/dev/null <"/lib/modules/$kernel/modules.builtin" | grep -q "/$name\.ko" || continue
        printf 'module|%s\n' "$name"
    done
}
all_unit() {
    [ ! -d /run/systemd/system ] || bounded_by 10 systemctl show -p Id -p LoadState -p UnitFileState \
        -p ActiveState -p ConditionResult -p ConditionTimestampMonotonic -- "$@" 2>/dev/null | sed 's/^/unit|/'
}
all_hosts() {
    read -r name 2>/dev/null </etc/hostname && printf 'static|%s\n' "$name"
    head -c 262144 /etc/hosts 2>/dev/null | sed 's/^/hosts|/'
}
all_zone() { printf 'zone|%s\n' "$(readlink /etc/localtime)"; }
all_sudoers() {
    command -v visudo >/dev/null || { echo 'sudoers|absent|' && return; }
    answer=$(bounded_by 10 visudo -c 2>&1)
    printf 'sudoers|%s|%s\n' "$?" "$(printf '%s\n' "$answer" | grep -v 'parsed OK' | head -n 3 | tr '\n' ' ')"
}
all_sshd() {
    sshd=$(command -v sshd) || return 0
    bounded_by 10 "$sshd" -T 2>/dev/null | sed -n '/^\(passwordauth\|kbdinteractiveauth\|challengeresponseauth\|usepam \)/s/^/sshd|/p'
    ! grep -qsiE '^[[:space:]]*include[[:space:]].*sshd_config\.d/' /etc/ssh/sshd_config || echo 'sshd|include yes'
}
all_block() {
    for path; do
        shift
        [ ! -f "$path" ] || set -- "$@" "$path"
    done
    [ $# -eq 0 ] || awk '
        function tell() { if (own) print "unended|" file; own = 0 }
        FNR == 1 { tell(); file = FILENAME }
        /^# dockyard: end$/ { own = 0 }
        /^# dockyard: begin$/ { tell(); own = 1; next }
        own { print "block|" FILENAME "|" $0 }
        END { tell() }' "$@"
}

section setup
for kind in user sysctl module unit hosts zone sudoers sshd block; do gather "$kind" "$@"; done

# What the engine says. Its own socket is asked where that can be, by one process: each start of `docker` costs
# more than all the rest of this. Ends with 0 when all is told, with 124 where the engine did not answer in time, and
# with another status, having told nothing, where `docker` is to be asked instead. However many images there are, it
# takes no longer than twice the limit of one question.
socket_says() {
    [ -z "$DOCKER_CONTEXT" ] && command -v perl >/dev/null || return 1
    ! grep -qs '"currentContext"' "${DOCKER_CONFIG:-$HOME/.docker}/config.json" || return 1
    case ${DOCKER_HOST:=unix:///var/run/docker.sock} in unix://*) ;; *) return 1 ;; esac
    [ -S "${DOCKER_HOST#unix://}" ] || return 1
    perl -e '
        my ($socket, $limit_s, $networks) = @ARGV;
        my $version;
        my $end = time + 2 * $limit_s;
        my $text = qr/(?:[^"\\]++|\\.)*+/;
        $SIG{ALRM} = sub { exit 124 };
        $SIG{__DIE__} = sub { exit 1 };

        # What the engine answers; undef where it has no such thing any more. Each answer has the version in its
        # head: to be asked for it, the engine starts programs of its own.
        sub get {
            my ($path) = @_;
            my $left_s = $end - time;
            exit 124 if $left_s <= 0;
            $left_s = $limit_s if $left_s > $limit_s;
            alarm($left_s < 1 ? 1 : $left_s);
            my $engine;
            socket($engine, 1, 1, 0) && connect($engine, pack "SZ108", 1, $socket) or die;
            syswrite($engine, "GET $path HTTP/1.0\r\nHost: docker\r\n\r\n") or die;
            local $/;
            my ($head, $body) = split /\r\n\r\n/, scalar <$engine>, 2;
            alarm 0;
            (my $status, $version) = $head =~ m{^HTTP/1\.\d (\d+) .*^Server: Docker/(\S+)}ms or die;
            return undef if $status == 404;
            $body =~ s/\s+$//;
            $status == 200 && length $body && $body !~ /\n/ or die;
            return $body;
        }

        # The text of the value that begins where the last match ended.
        sub value {
            my ($depth, $from) = (0, pos $_[0]);
            do {
                $_[0] =~ /\G[:,]?(?:"$text"|([\[{])|([\]}])|[^"\[\]{}:,]++)/gc or die;
                $depth += $1 ? 1 : $2 ? -1 : 0;
            } while $depth > 0;
            return substr $_[0], $from, pos($_[0]) - $from;
        }
        sub members {
            my ($object, %found) = @_;
            return () if ($object || "null") eq "null";
            $object =~ /^\{/g or die;
            $found{$1} = value($object) while $object =~ /\G,?"($text)":/gc;
            $object =~ /\G\}$/ or die;
            return %found;
        }
        sub elements {
            my ($array, @found) = @_;
            return () if $array eq "null";
            $array =~ /^\[/g or die;
            until ($array =~ /\G\]$/gc) {
                $array =~ /\G,/gc;
                push @found, value($array);
            }
            return @found;
        }

        my (@told, @ours);
        push @told, "@\@containers";
        for (elements(get("/containers/json?all=1") || die)) {
            my %container = members($_);
            my ($name) = grep !m{^"/.*/}, elements($container{Names});
            $name =~ s{^"/}{"} or die;
            $container{Image} && $container{State} && $container{Id} or die;
            push @told, qq({"name":$name,"image":$container{Image},"state":$container{State}});
            my %label = members($container{Labels});
            push @ours, substr $container{Id}, 1, -1 if ($label{"dockyard.part"} || q("")) ne q("");
        }
        my (%images, %of_ours);
        push @told, "@\@inspect";
        for (@ours) {
            my $found = get("/containers/$_/json") or next;
            push @told, $found;
            my %container = members($found);
            $container{Name} && $container{Image} or die;
            $images{$container{Image}} = $of_ours{$container{Image}} = 1;
        }
        for (elements(get("/images/json") || die)) {
            my %image = members($_);
            $images{$image{Id}} = 1;
        }
        my (@configs, $driver);
        push @told, "@\@images";
        for (sort keys %images) {
            my %image = members(get("/images/" . substr($_, 1, -1) . "/json") || next);
            $image{Id} or die;
            my %root = members($image{RootFS});
            my %graph = members($image{GraphDriver});
            $driver = $graph{Name} if ($graph{Name} || q("")) ne q("");
            my ($tags, $layers, $config) = map $_ || "null", $image{RepoTags}, $root{Layers}, $image{Config};
            push @told, qq({"id":$image{Id},"tags":$tags,"layers":$layers});
            # What an image says of itself may be secret: it is told of those alone that ours run.
            push @configs, qq({"id":$image{Id},"config":$config}) if $of_ours{$_};
        }
        unless ($driver) {
            my %info = members(get("/info") || die);
            $driver = $info{Driver};
        }
        push @told, "@\@image_configs", @configs, "@\@docker", "version=$version", "driver=" . substr($driver, 1, -1);
        if ($networks) {
            push @told, "@\@networks";
            for (elements(get("/networks") || die)) {
                my %network = members($_);
                push @told, substr $network{Name}, 1, -1;
            }
        }
        print "\n", map "$_\n", @told;
    ' "${DOCKER_HOST#unix://}" "$docker_limit_s" "$networks" </dev/null 2>/dev/null
}
command_answers() {
    section docker
    answer=$(bounded version --format '{{.Server.Version}}' 2>&1)
    code=$?
    version=$(printf '%s\n' "$answer" | tail -n 1)
    case $code$version in 0[0-9]*.*) ;; *) version= ;; esac # others answer to the name, too
    if [ -z "$version" ]; then
        printf 'exit=%s\n' "$code"
        printf '%s\n' "$answer" | sed 's/^/|/'
        return 1
    fi
    printf 'version=%s\n' "$version"
}
command_says() {
    section containers
    ask ps -a --no-trunc \
        --format '{{.ID}} {{if .Label "dockyard.part"}}ours{{else}}-{{end}} {"name":{{json .Names}},"image":{{json .Image}},"state":{{json .State}}}'
    printf '%s\n' "$answer" | cut -d' ' -f3-
    ours=$(printf '%s\n' "$answer" | awk '$2 == "ours" { print $1 }')
    section inspect
    answer=
    [ -z "$ours" ] || ask inspect $ours --format '{{json .}}'
    printf '%s\n' "$answer"
    from=$(printf '%s\n' "$answer" | grep -oE '"Image":"(sha256:)?[0-9a-f]{64}"' | cut -d'"' -f4)
    ask image ls -q --no-trunc
    images=$(printf '%s\n' $answer $from | sort -u)
    answer=
    [ -z "$images" ] || ask image inspect $images --format '{{.Id}} {{with .GraphDriver}}{{.Name}}{{end}} {"id":{{json .Id}},"tags":{{json .RepoTags}},"layers":{{json .RootFS.Layers}}}
{{.Id}} config {"id":{{json .Id}},"config":{{json .Config}}}'
    section images
    printf '%s\n' "$answer" | awk '$2 != "config"' | cut -d' ' -f3-
    # Of our containers' images what these say themselves; of others' that may be secret.
    section image_configs
    printf '%s\n' "$answer" | awk -v from=" $(echo $from) " \
        '$2 == "config" && index(from, " " $1 " ")' | cut -d' ' -f3-
    section docker
    driver=$(printf '%s\n' "$answer" | awk 'NR == 1 && NF > 2 { print $2 }')
    [ -n "$driver" ] || { ask info --format '{{.Driver}}' && driver=$answer; }
    printf 'driver=%s\n' "$driver"
    if [ -n "$networks" ]; then
        section networks
        ask network ls --format '{{.Name}}'
        printf '%s\n' "$answer"
    fi
    [ -z "$hung" ] || { section docker; printf 'exit=%s\n' "$hung"; }
}
version=
if command -v docker >/dev/null && { [ -z "$command" ] || command_answers; }; then
    socket_says
    case $? in
    0) ;;
    124) section docker && echo exit=124 ;;
    *) { [ -n "$version" ] || command_answers; } && command_says ;;
    esac
fi
lease lease_after
section end
