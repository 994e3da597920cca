# What the numbered examples after the first begin with: `. ./begin.sh`. They expect a running Hatoba (`hatoba up --detach`).
# Defines: hatoba, data, registry, work (a folder that goes away at the end), aws, say, image NAME VERSION.
set -euo pipefail
hatoba=${HATOBA:-../.venv/bin/hatoba} data=${HATOBA_DATA:-/var/lib/hatoba}
eval "$($hatoba env --data "$data")"
export AWS_PAGER=""
aws() { /usr/bin/aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }  # Debian's does not read AWS_ENDPOINT_URL yet
say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
registry=${AWS_ENDPOINT_URL#http://}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

image() {  # NAME VERSION: busybox, and a page that says its name and version; prints the reference
    mkdir -p "$work/$1-$2/www"
    cp /bin/busybox "$work/$1-$2/"
    echo "$1 $2" > "$work/$1-$2/www/index.html"
    printf 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\nCOPY www /www\n' > "$work/$1-$2/Dockerfile"
    local store=(--root "$work/store" --runroot "$work/run" --storage-driver vfs)
    buildah "${store[@]}" build -q --isolation chroot -t "$1:$2" "$work/$1-$2" >/dev/null
    buildah "${store[@]}" push -q "$1:$2" "oci:$work/layout:$1-$2"
    aws ecr create-repository --repository-name "$1" >/dev/null 2>&1 || true
    skopeo copy -q --dest-tls-verify=false --dest-creds "AWS:$(aws ecr get-login-password)" \
        "oci:$work/layout:$1-$2" "docker://$registry/$1:$2"
    echo "$registry/$1:$2"
}
