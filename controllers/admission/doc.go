// Package admission says what an API server would refuse of Herald's objects,
// without one.
//
// Stage: in place of the API server, before everything else. Input: an object as
// it was written. Output: the errors of the CRD's OpenAPI schema and CEL rules, in
// the API server's own words: it is the same code. It knows nothing of other
// objects.
package admission
