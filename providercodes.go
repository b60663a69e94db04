package agentconnect

// explainProviderCode finds a code of AgentConnect's own error pages (Y and six
// hexadecimal digits) in text that came with an error, and says what it means.
// Most of these errors leave the agent on a page of AgentConnect and never come
// back; the text is for those that do.
func explainProviderCode(text string) (code string, explanation Reason, ok bool) {
	const length = len("Y000400")
	for i := 0; i+length <= len(text); i++ {
		if explanation, ok := providerCode(text[i : i+length]); ok {
			return text[i : i+length], explanation, true
		}
	}
	return "", Reason{}, false
}

// providerCode says what a code means, to an agent.
func providerCode(code string) (Reason, bool) {
	switch code {
	case "Y000400":
		return Reason{"un paramètre de la demande manque, est répété ou est mal formé ; c’est à ce service de le corriger.", "a parameter of the request is missing, repeated or malformed; this service has to correct it."}, true
	case "Y000404":
		return Reason{"l’adresse demandée n’existe pas chez AgentConnect.", "the address does not exist at AgentConnect."}, true
	case "Y030031":
		return Reason{"l’adresse de retour de ce service n’est pas enregistrée chez AgentConnect.", "the redirect URI of this service is not registered with AgentConnect."}, true
	case "Y030110", "Y190001":
		return Reason{"AgentConnect n’a pas retrouvé votre session : n’utilisez pas le bouton « précédent » et acceptez ses cookies.", "AgentConnect did not find your session: do not use the back button, and accept its cookies."}, true
	case "Y030111":
		return Reason{"l’adresse de retour après la déconnexion n’est pas enregistrée chez AgentConnect.", "the post-logout redirect URI of this service is not registered with AgentConnect."}, true
	case "Y04A586":
		return Reason{"l’enregistrement de ce service chez AgentConnect n’est pas valide.", "the registration of this service with AgentConnect is not valid."}, true
	case "Y020017", "Y020026", "Y020027", "Y020028", "Y020029", "Y020030", "Y020031", "Y020032":
		return Reason{"le fournisseur d’identité de votre administration est désactivé ou en panne.", "the identity provider of your administration is disabled or failing."}, true
	case "Y500001":
		return Reason{"aucun fournisseur d’identité ne correspond à votre adresse électronique.", "no identity provider is known for your e-mail address."}, true
	case "Y500006":
		return Reason{"votre administration a transmis une identité incomplète ou incorrecte.", "your administration sent an incomplete or incorrect identity."}, true
	case "Y500015":
		return Reason{"ce service n’accepte que les agents publics, et AgentConnect ne vous connaît pas comme tel.", "this service only accepts public agents, and AgentConnect does not know you as one."}, true
	case "Y500024":
		return Reason{"votre compte est bloqué.", "your account is blocked."}, true
	case "Y500025":
		return Reason{"le domaine de votre adresse électronique n’est pas accepté par ce service.", "the domain of your e-mail address is not accepted by this service."}, true
	case "Y500027":
		return Reason{"le domaine de votre adresse électronique n’est pas accepté par ce fournisseur d’identité.", "the domain of your e-mail address is not accepted by this identity provider."}, true
	}
	return Reason{}, false
}
