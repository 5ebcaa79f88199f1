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
    rm -rf --one-file-system "$1.new"
    timeout 900 debootstrap --variant=minbase "$2" "$1.new" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} > "$1.debootstrap.log"
    mv "$1.new" "$1"
  fi
  cp /etc/resolv.conf "$1/etc/resolv.conf"
}

# A /dev of its own: whatever happens to the root, this machine's stays as it is.
mount_system() {  # ROOT
  local dev=$1/dev node
  mounted+=("$1/proc" "$dev")
  mount -t proc proc "$1/proc"
  mount -t tmpfs -o mode=755 tmpfs "$dev"
  for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    mknod -m 666 "$dev/${node%%:*}" c "$(cut -d: -f2 <<< "$node")" "${node##*:}"
  done
  ln -s /proc/self/fd "$dev/fd"
  ln -s fd/0 "$dev/stdin"
  ln -s fd/1 "$dev/stdout"
  ln -s fd/2 "$dev/stderr"
  ln -s pts/ptmx "$dev/ptmx"
  mkdir "$dev/shm" "$dev/pts"
  mount -t tmpfs tmpfs "$dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666 devpts "$dev/pts"
}

in_root() {  # ROOT COMMAND...
  local root=$1
  shift
  timeout 5400 chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@" < /dev/null
}
