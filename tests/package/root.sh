# Roots of other Debians, for the scripts beside this file: sourced, by root. A root's mounts are undone when the script
# ends.

mounted=()
clean_up() {
  local point
  for point in "${mounted[@]}"; do
    if mountpoint -q "$point"; then umount -R "$point" || umount -R --lazy "$point"; fi
  done
  mounted=()
}
trap clean_up EXIT

# Makes it unless it is there, from the mirror in DEBIAN_MIRROR or debootstrap's default.
make_root() {  # ROOT RELEASE
  if [[ ! -d $1 ]]; then
    mkdir -p "$(dirname "$1")"
    rm -rf "$1.new"
    timeout 900 debootstrap --variant=minbase "$2" "$1.new" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} > "$1.debootstrap.log"
    mv "$1.new" "$1"
  fi
  cp /etc/resolv.conf "$1/etc/resolv.conf"
}

mount_system() {  # ROOT
  mounted+=("$1/proc" "$1/dev")
  mount -t proc proc "$1/proc"
  mount --bind /dev "$1/dev"
  mount -t tmpfs tmpfs "$1/dev/shm"
  mount -t devpts -o ptmxmode=666 devpts "$1/dev/pts"
}

in_root() {  # ROOT COMMAND...
  local root=$1
  shift
  timeout 5400 chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@" < /dev/null
}
