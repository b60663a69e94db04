package agentconnecttest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

func TestDossiersTheNextDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := agentconnecttest.NewServer(t, agentconnecttest.WithoutNetwork())
		site, _ := start(t, provider)
		browser := provider.Browser()
		if _, err := provider.Login(browser, site+"/dossiers", "marie"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour) // of the provider and of the application
		if resp, _ := browser.Get(site + "/dossiers"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("got %d, want 401", resp.StatusCode)
		}
	})
}
