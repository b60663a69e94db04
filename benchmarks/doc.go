// Package benchmarks compares agentconnect with the alternatives. It only has
// benchmarks, and one test with the same dependencies. It is a separate module, so that
// the alternatives are not dependencies of agentconnect. See README.md.
package benchmarks
