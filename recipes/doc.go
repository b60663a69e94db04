// Package recipes shows agentconnect in the frameworks and situations that
// applications have. Each file is one recipe, to be copied: the tests run them all,
// and docs/frameworks.md quotes them. It is a module of its own, so that the library
// depends on none of what is shown.
package recipes
