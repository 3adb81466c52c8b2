package main

import (
	"fmt"

	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// setupLogs sends all logs, those of Kubernetes' libraries included, to stderr
// as JSON, one object per line. The level is "debug", "info" or "error".
func setupLogs(level string) error {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return fmt.Errorf("--log-level: %w: use debug, info or error", err)
	}
	logger := zap.New(zap.Level(parsed), zap.StacktraceLevel(zapcore.PanicLevel), func(o *zap.Options) {
		o.TimeEncoder = zapcore.RFC3339NanoTimeEncoder
	})
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	return nil
}
