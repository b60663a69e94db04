package wording

// CodeOf returns the code of an error in the provider's redirect. Anyone can forge both
// texts: they only choose one of our explanations, and only if error and description
// match exactly as ProConnect sends them.
func CodeOf(name, description string) string {
	const technical = "authentication aborted due to a technical error on the authorization server"
	switch name {
	case "access_denied":
		switch description {
		case "authentication aborted due to invalid identity":
			return "identity_refused"
		case "authentication aborted due to a configuration limitation":
			return "domain_refused"
		case "user authentication aborted":
			return "provider_session_lost"
		case "requested ACRs could not be satisfied":
			return "insufficient_level"
		}
		return "access_denied"
	case "login_required":
		return "login_required"
	case "idp_hint_not_found":
		return "idp_hint_not_found"
	case "temporarily_unavailable":
		return "provider_unavailable"
	case "invalid_request":
		if description == technical { // the identity provider's error, not ours
			return "provider_error"
		}
		return "request_rejected"
	case "invalid_scope", "unauthorized_client", "unsupported_response_type", "unsupported_response_mode",
		"request_not_supported", "request_uri_not_supported", "registration_not_supported", "invalid_request_uri", "invalid_request_object":
		return "request_rejected"
	}
	return "provider_error"
}
