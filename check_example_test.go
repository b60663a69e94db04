package agentconnect_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/agentconnect-go/agentconnect"
)

// What a command such as "myservice check" does, before a service opens.
func ExampleAuthenticator_Check() {
	auth, err := agentconnect.New(agentconnect.FromEnv())
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	findings := auth.Check(ctx)
	fmt.Print(findings)
	if findings.Worst() == agentconnect.SeverityProblem {
		os.Exit(1)
	}
}

func ExampleFindings() {
	findings := agentconnect.Findings{
		{Severity: agentconnect.SeverityOK, Subject: "discovery", Found: "the metadata of https://auth.agentconnect.gouv.fr/api/v2 is complete"},
		{Severity: agentconnect.SeverityProblem, Subject: "clock", Found: "ours is 5m0s ahead of the provider's", Action: "Set this machine's clock (NTP)."},
	}
	fmt.Println(findings.Worst())
	fmt.Print(findings)
	// Output:
	// problem
	// ok       discovery  the metadata of https://auth.agentconnect.gouv.fr/api/v2 is complete
	// problem  clock      ours is 5m0s ahead of the provider's
	//                     → Set this machine's clock (NTP).
	//
	// ok: 1, warnings: 0, problems: 1
}
