package agentconnecttest

// The identity providers of the demonstration agents.
const (
	demoIDPMinistry = "00000000-0000-4000-8000-000000000001"
	demoIDPHospital = "00000000-0000-4000-8000-000000000002"
	demoIDPIdentity = "00000000-0000-4000-8000-000000000003" // for agents whose organisation has none
	demoIDPPrivate  = "00000000-0000-4000-8000-000000000004" // on the RIE
)

// DemoAgents returns the demonstration agents. They do not exist, so they can be shown
// to anyone:
//
//   - "marie", agent of a ministry, with every claim of ProConnect;
//   - "hugo", agent of a hospital, through its identity provider;
//   - "zoe", agent of a town, with accents and an apostrophe in her name; her optional
//     claims are null or absent;
//   - "ines", agent of a ministry on the State's private network (RIE); her identity
//     provider always asks for a second factor;
//   - "olivier", agent of a ministry with a smart card: eidas2 and eidas3 on demand;
//   - "karim", a contractor (prestataire) without any role; his identity provider
//     already uses a code by e-mail;
//   - "nadia", the head of a company, with proof of it (certification dirigeant);
//   - "lucie", a trainee; her identity provider only gives eidas0.
func DemoAgents() []Agent {
	return []Agent{
		{
			Login: "marie",
			Claims: map[string]any{
				"sub":                  "demo-4f1c2d9e-marie",
				"given_name":           "Marie Louise",
				"usual_name":           "Exemple",
				"email":                "marie.exemple@ministere.example.gouv.fr",
				"uid":                  "mexemple",
				"siret":                "00000001800010",
				"siren":                "000000018",
				"phone_number":         "+33 1 99 00 00 01",
				"organizational_unit":  "DEMO/SG/NUM",
				"belonging_population": "agent",
				"chorusdt:matricule":   "DEMO0001",
				"chorusdt:societe":     "DEMO",
				"idp_id":               demoIDPMinistry,
				"roles":                []string{"agent_public", "agent_public_etat"},
				"organization_label":   "Ministère de démonstration",
				"custom":               map[string]any{"bureau": "D-101", "habilitations": []string{"lecture", "signature"}, "anciennete": 12},
			},
			ACR: acrEIDAS1,
			AMR: []string{"pwd"},
		},
		{
			Login: "hugo",
			Claims: map[string]any{
				"sub":                  "demo-9a70b3c1-hugo",
				"given_name":           "Hugo",
				"usual_name":           "Semblant",
				"email":                "hugo.semblant@hopital.example.gouv.fr",
				"uid":                  "h-000042",
				"siret":                "00000002600013",
				"belonging_population": "agent",
				"idp_id":               demoIDPHospital,
				"roles":                []string{"agent_public"},
				"organization_label":   "Hôpital de démonstration",
				"custom":               map[string]any{},
			},
			ACR: acrEIDAS1,
			AMR: []string{"pwd"},
		},
		{
			Login: "zoe",
			Claims: map[string]any{
				"sub":                  "demo-2b6de0f7-zoe",
				"given_name":           "Zoé Maëlle",
				"usual_name":           "d’Œuvre-Spécimen",
				"email":                "zoe.specimen@commune.example.gouv.fr",
				"uid":                  "zoé",
				"siret":                "00000005900014",
				"phone_number":         nil,
				"organizational_unit":  nil,
				"belonging_population": nil,
				"idp_id":               demoIDPIdentity,
				"roles":                []string{"agent_public", "agent_public_territorial"},
				"custom":               map[string]any{},
			},
			ACR: acrEIDAS1,
			AMR: []string{"pwd"},
		},
		{
			Login: "ines",
			Claims: map[string]any{
				"sub":                  "demo-80d1f3b6-ines",
				"given_name":           "Inès",
				"usual_name":           "Maquette",
				"email":                "ines.maquette@interieur.example.gouv.fr",
				"uid":                  "imaquette",
				"siret":                "00000006700017",
				"belonging_population": "agent",
				"idp_id":               demoIDPPrivate,
				"roles":                []string{"agent_public", "agent_public_etat"},
				"organization_label":   "Direction de démonstration",
				"custom":               map[string]any{},
			},
			ACR: acrEIDAS1MFA,
			AMR: []string{"pwd", "otp", "mfa"},
		},
		{
			Login: "olivier",
			Claims: map[string]any{
				"sub":                "demo-1d94c6aa-olivier",
				"given_name":         "Olivier",
				"usual_name":         "Témoin",
				"email":              "olivier.temoin@ministere.example.gouv.fr",
				"uid":                "otemoin",
				"siret":              "00000001800010",
				"idp_id":             demoIDPMinistry,
				"roles":              []string{"agent_public", "agent_public_etat"},
				"organization_label": "Ministère de démonstration",
				"custom":             map[string]any{},
			},
			ACR:       acrEIDAS1,
			AMR:       []string{"pwd"},
			OtherACRs: []string{acrEIDAS1MFA, acrEIDAS2, acrEIDAS3},
		},
		{
			Login: "karim",
			Claims: map[string]any{
				"sub":                  "demo-77c0a1be-karim",
				"given_name":           "Karim",
				"usual_name":           "Fictif",
				"email":                "karim.fictif@entreprise.example",
				"uid":                  "ext-karim",
				"siret":                "00000003400017",
				"belonging_population": "prestataire",
				"idp_id":               demoIDPIdentity,
				"roles":                []string{},
				"custom":               map[string]any{},
			},
			ACR: acrEIDAS1,
			AMR: []string{"pwd", "mail"},
		},
		{
			Login: "nadia",
			Claims: map[string]any{
				"sub":                "demo-e51f88d2-nadia",
				"given_name":         "Nadia",
				"usual_name":         "Modèle",
				"email":              "nadia.modele@entreprise.example",
				"uid":                "nadia",
				"siret":              "00000003400017",
				"siren":              "000000034",
				"idp_id":             demoIDPIdentity,
				"roles":              []string{},
				"organization_label": "Entreprise de démonstration",
				"custom":             map[string]any{},
			},
			ACR:       acrEIDAS1,
			AMR:       []string{"pwd"},
			OtherACRs: []string{acrDirigeant},
		},
		{
			Login: "lucie",
			Claims: map[string]any{
				"sub":                  "demo-c3385e10-lucie",
				"given_name":           "Lucie",
				"usual_name":           "Essai",
				"email":                "lucie.essai@hopital.example.gouv.fr",
				"uid":                  "lucie",
				"siret":                "00000002600013",
				"belonging_population": "stagiaire",
				"idp_id":               demoIDPHospital,
				"roles":                []string{"agent_public"},
				"custom":               map[string]any{},
			},
			ACR: acrEIDAS0,
			AMR: []string{"pwd"},
		},
	}
}
