// Checks a Grafana dashboard on stdin against Grafana's schema: unknown keys, values of the wrong type, missing ones.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// The module also returns a list of no errors.
func found(err error) bool {
	var list cog.BuildErrors
	return err != nil && !(errors.As(err, &list) && len(list) == 0)
}

func check() error {
	schemas := cog.NewRuntime()
	schemas.RegisterPanelcfgVariant(stat.VariantConfig())
	schemas.RegisterPanelcfgVariant(timeseries.VariantConfig())
	schemas.RegisterDataqueryVariant(prometheus.VariantConfig())
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var board dashboard.Dashboard
	if err := board.UnmarshalJSONStrict(text); found(err) {
		return err
	}
	return board.Validate()
}

func main() {
	if err := check(); found(err) {
		fmt.Println(err)
		os.Exit(1)
	}
}
