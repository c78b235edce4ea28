// A Kubernetes control plane in one program: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, and kwok,
// which plays the nodes and their pods. The first argument says which of them to run, the rest are its own flags.
//
// All come from their projects' published modules, and nothing here changes what they do.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	"sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: control-plane etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kwok [flags]")
	}
	// Each component reads os.Args as if it were alone.
	os.Args = os.Args[1:]
	var command *cobra.Command
	switch os.Args[0] {
	case "etcd":
		etcdmain.Main(os.Args)
		return
	case "kube-apiserver":
		command = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		command = controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		command = scheduler.NewSchedulerCommand()
	case "kwok":
		command = newKwokCommand()
	default:
		fail("control-plane: there is no component " + os.Args[0])
	}
	os.Exit(cli.Run(command))
}

// newKwokCommand reads kwok's configuration files before its command is made, as kwok's own main does.
func newKwokCommand() *cobra.Command {
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := log.InitFlags(context.Background(), flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		fail("kwok: " + err.Error())
	}
	command := kwok.NewCommand(ctx)
	// Kubernetes' components have a flag --version of another type in the one set of global flags.
	command.Version = ""
	command.PersistentFlags().AddFlagSet(flags)
	command.SetContext(ctx)
	return command
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}
