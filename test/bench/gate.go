package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	crclient "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-lb/herald/test/lab/router"
	"github.com/herald-lb/herald/test/lab/wire"
)

// gateLook is how often the benchmark asks kube-proxy whether it is ready for a
// Service.
const gateLook = 2 * time.Millisecond

// gates measures new Services with policy Local, from when kube-proxy first says at
// their health check port that it forwards for them.
func (s *site) gates(ctx context.Context, runs int) (m moments, err error) {
	capture, err := s.lab.Capture(routerName)
	if err != nil {
		return m, err
	}
	defer capture.Close()
	for range runs {
		if err := s.gateOnce(ctx, capture, &m); err != nil {
			return m, fmt.Errorf("gate: %w", err)
		}
	}
	return m, nil
}

func (s *site) gateOnce(ctx context.Context, capture *wire.Capture, m *moments) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	name, n, began := s.name(), s.routes.count(), time.Now()
	if _, err := s.add(ctx, []string{name}, true, localPolicy); err != nil {
		return err
	}
	opened, err := s.gateOpens(ctx, name)
	if err != nil {
		return err
	}
	return s.arrives(ctx, capture, name, n, began, opened, m)
}

// gateOpens asks a Service's health check port until it answers 200, and says when
// that question was asked.
func (s *site) gateOpens(ctx context.Context, name string) (time.Time, error) {
	svc := service(name)
	if err := s.lab.API().Get(ctx, crclient.ObjectKeyFromObject(svc), svc); err != nil {
		return time.Time{}, err
	}
	// Of the loopback addresses kube-proxy leaves these ports out.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: s.node().Box().Dial}}
	url := fmt.Sprintf("http://%s:%d/", s.lab.NodeAddresses(router.IPv4, nodeName)[0], svc.Spec.HealthCheckNodePort)
	look := time.NewTicker(gateLook)
	defer look.Stop()
	for {
		asked := time.Now()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return time.Time{}, err
		}
		if answer, err := client.Do(request); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return asked, nil
			}
		}
		select {
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		case <-look.C:
		}
	}
}
