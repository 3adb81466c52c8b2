# Recipe of kubernetes-node-VERSION, sourced by build.sh: what a real cluster has
# beyond the lab: kubelet, kube-controller-manager and kube-scheduler.
. ./kubernetes.sh

part_steps() { echo 3; }

build_part() { # NAME DIR
  local dir=$2
  grep -q "k8s.io/kubernetes $KUBERNETES\$" kubernetes-node/go.mod ||
    { echo "third-party parts: kubernetes-node/go.mod is not at $KUBERNETES, which test/thirdparty/versions wants" >&2; exit 1; }
  for command in kubelet kube-controller-manager kube-scheduler; do
    run "$command $KUBERNETES" go_build kubernetes-node "$dir/$command" "k8s.io/kubernetes/cmd/$command"
  done
}
