package main

import (
	"fmt"

	uberzap "go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/herald-lb/herald/api/v1alpha1"
)

// setupLogs sends all logs, those of Kubernetes' libraries included, to stderr
// as JSON, one object per line. The level is "debug", "info" or "error"; the function
// that it gives sets another one, or with none this one again.
func setupLogs(level string) (func(v1alpha1.LogLevel), error) {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("--log-level: %w: use debug, info or error", err)
	}
	live := uberzap.NewAtomicLevelAt(parsed)
	logger := zap.New(zap.Level(live), zap.StacktraceLevel(zapcore.PanicLevel), func(o *zap.Options) {
		o.TimeEncoder = zapcore.RFC3339NanoTimeEncoder
	})
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	return func(asked v1alpha1.LogLevel) {
		next, err := zapcore.ParseLevel(string(asked))
		if asked == "" || err != nil {
			next = parsed
		}
		if live.Level() != next {
			logger.Info("log level", "level", next.String())
			live.SetLevel(next)
		}
	}, nil
}
