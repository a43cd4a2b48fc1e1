// Cert-manager's controllers as one process, for the comparison in tests/scale.
//
// Cert-manager's own main is a module of its own that builds within its repository only. This one does the same with
// the released library: the controllers that are on by default, with flags of the real names and the real defaults
// (internal/apis/config/controller/v1alpha1/defaults.go). Left out are Venafi's issuer, leader election, and the
// servers for metrics, health and profiles: nothing of them takes part in an issuance by ACME.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util/feature"

	// What registers a controller or an issuer when it is loaded.
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
)

func main() {
	wanted, err := parse(flag.CommandLine, os.Args[1:])
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = run(ctx, wanted)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run works as the settings say until ctx ends.
func run(ctx context.Context, wanted settings) error {
	logging := logsapi.NewLoggingConfiguration()
	logsapi.SetRecommendedLoggingConfiguration(logging)
	if err := logs.ValidateAndApply(logging); err != nil {
		return err
	}
	if err := feature.DefaultMutableFeatureGate.Set(wanted.gates); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	ctx = logs.NewContext(ctx, logs.Log, "controller")
	factory, err := controller.NewContextFactory(ctx, wanted.options)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	var names []string
	for name, construct := range controller.Known() {
		one, err := construct(factory)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		names = append(names, name)
		group.Go(func() error { return one.Run(wanted.workers, ctx) })
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	logs.FromContext(ctx).Info("started", "controllers", strings.Join(names, " "),
		"workers", wanted.workers, "challenges", wanted.options.MaxConcurrentChallenges,
		// -1 where the API server shares itself out fairly: cert-manager then sets itself no limit.
		"qps", shared.RESTConfig.QPS, "burst", shared.RESTConfig.Burst)
	return group.Wait()
}
