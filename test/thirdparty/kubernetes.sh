# Recipe of kubernetes-VERSION, sourced by build.sh: kube-apiserver, kubectl,
# kube-proxy and etcd from their Go modules.

part_steps() { echo 4; }

build_part() { # NAME DIR
  local dir=$2
  grep -q "k8s.io/kubernetes $KUBERNETES\$" kubernetes/go.mod ||
    { echo "third-party parts: kubernetes/go.mod is not at $KUBERNETES, which test/thirdparty/versions wants" >&2; exit 1; }
  run "etcd" go_build etcd "$dir/etcd" .
  for command in kube-apiserver kubectl kube-proxy; do
    run "$command $KUBERNETES" go_build kubernetes "$dir/$command" "k8s.io/kubernetes/cmd/$command"
  done
}

# go_build MODULE OUT PACKAGE. Without gitVersion the commands call themselves
# v0.0.0 and version checks between them go wrong.
go_build() {
  local version=${KUBERNETES#v} package=k8s.io/component-base/version
  local major=${version%%.*} minor=${version#*.}
  (cd "$1" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -o "$2" -ldflags "-s -w \
    -X $package.gitVersion=v$version -X $package.gitMajor=$major -X $package.gitMinor=${minor%%.*} \
    -X $package.gitTreeState=clean" "$3")
}
