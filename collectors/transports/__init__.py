"""How bytes come: one module per transport with ``async def run(intake, listen="")``, until cancelled."""
