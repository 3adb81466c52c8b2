package main

import "context"

// preserve switches flow preservation on for both Services, or off.
func (s *site) preserve(_ context.Context, on bool) error {
	s.preserved = on
	return nil
}
