package recipes

import (
	"net/http"

	"github.com/coder/websocket"

	"github.com/agentconnect-go/agentconnect"
)

// WebSocket upgrades behind RequireAgent. A stranger's handshake gets a 401. The script
// sees a failed connection; it then opens a protected page, or /login. Accept refuses
// other origins. Keep that: the browser sends the session cookie with every handshake.
func WebSocket(auth *agentconnect.Authenticator) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", auth.Handler())
	mux.Handle("GET /notifications", auth.RequireAgent(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := agentconnect.AgentFrom(r.Context())
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // Accept has answered
		}
		defer conn.CloseNow()
		ctx, stop := auth.SessionContext(r.Context()) // ends with the session
		defer stop()
		ctx = conn.CloseRead(ctx)
		if err := conn.Write(ctx, websocket.MessageText, []byte("hello "+agent.Sub)); err != nil {
			return
		}
		conn.Close(websocket.StatusNormalClosure, "")
	})))
	return mux
}
