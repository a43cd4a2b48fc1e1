package main

import (
	"flag"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	appversion "github.com/cert-manager/cert-manager/pkg/util"
)

// settings is what the flags say.
type settings struct {
	workers int
	gates   string
	options controller.ContextOptions
}

// quantity lets a flag hold an amount of CPU or memory.
type quantity struct{ *resource.Quantity }

func (q quantity) Set(text string) (err error) {
	*q.Quantity, err = resource.ParseQuantity(text)
	return err
}

func (q quantity) String() string {
	if q.Quantity == nil { // as the flag package asks of a zero value
		return ""
	}
	return q.Quantity.String()
}

// parse reads flags that are called as the real controller's, and have its defaults.
func parse(flags *flag.FlagSet, arguments []string) (settings, error) {
	wanted := settings{options: controller.ContextOptions{
		IssuerOptions: controller.IssuerOptions{
			ClusterResourceNamespace:        "kube-system",
			ClusterIssuerAmbientCredentials: true,
		},
		IngressShimOptions: controller.IngressShimOptions{
			DefaultIssuerKind:                 "Issuer",
			DefaultIssuerGroup:                "cert-manager.io",
			DefaultAutoCertificateAnnotations: []string{"kubernetes.io/tls-acme"},
		},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes: []string{
				"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/",
			},
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
		ACMEOptions: controller.ACMEOptions{
			// Without a registry: no pod is ever started from it.
			HTTP01SolverImage:                 "cert-manager-acmesolver:" + appversion.AppVersion,
			HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
			HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
			HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
			ACMEHTTP01SolverRunAsNonRoot:      true,
			DNS01CheckAuthoritative:           true,
			DNS01Nameservers:                  util.RecursiveNameservers,
		},
	}}
	options, acme := &wanted.options, &wanted.options.ACMEOptions
	qps := flags.Float64("kube-api-qps", 20, "requests a second to the API server, where it has no fairness of its own")
	flags.IntVar(&options.KubernetesAPIBurst, "kube-api-burst", 50, "requests at once, under the same condition")
	flags.StringVar(&options.Kubeconfig, "kubeconfig", "", "how to reach the API server")
	flags.IntVar(&wanted.workers, "concurrent-workers", 5, "workers of each controller")
	flags.IntVar(&options.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "challenges at work at once")
	flags.DurationVar(&acme.DNS01CheckRetryPeriod, "dns01-check-retry-period", 10*time.Second,
		"pause after a failed self-check, of HTTP-01 as well")
	flags.StringVar(&wanted.gates, "feature-gates", "", "NAME=true,...")
	flags.StringVar(&acme.HTTP01SolverImage, "acme-http01-solver-image", acme.HTTP01SolverImage, "of the solver's pod")
	flags.Var(quantity{&acme.HTTP01SolverResourceRequestCPU}, "acme-http01-solver-resource-request-cpu", "of the pod")
	flags.Var(quantity{&acme.HTTP01SolverResourceRequestMemory}, "acme-http01-solver-resource-request-memory", "of the pod")
	flags.Var(quantity{&acme.HTTP01SolverResourceLimitsCPU}, "acme-http01-solver-resource-limits-cpu", "of the pod")
	flags.Var(quantity{&acme.HTTP01SolverResourceLimitsMemory}, "acme-http01-solver-resource-limits-memory", "of the pod")
	err := flags.Parse(arguments)
	options.KubernetesAPIQPS = float32(*qps)
	return wanted, err
}
